// A byte stream as a Transport: when bytes flow, how the end is told, and what a dial leaves behind.

import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { explained, streamTransport, type ByteStream } from '../../../../drivers/remote/transport/stream.ts'
import { carry } from '../../../support/carried.ts'

const stream = () => {
  const input = new PassThrough()
  const output = new PassThrough()
  const ended = Promise.withResolvers<Error>()
  const made: ByteStream = { input, output, ended: ended.promise, destroy: () => { ended.resolve(new Error('destroyed')) } }
  return { made, input, output, end: ended.resolve }
}

describe('bytes', () => {
  test('that a dial left over flow, also where it had stopped them', async () => {
    const { made, input } = stream()
    input.write('before ')
    const carried = await carry(streamTransport('/peer', async () => { input.pause(); return made }))
    input.write('after')
    await carried.until('before after')
    expect(carried.text()).toBe('before after')
  })

  test('come only after the opening has resolved', async () => {
    const { made, input } = stream()
    input.write('early')
    const order: string[] = []
    await streamTransport('/peer', () => Promise.resolve(made)).open({ data: (chunk) => { order.push(String(chunk)) }, end: () => {} })
    order.push('opened')
    await new Promise((resolve) => { setImmediate(resolve) })
    expect(order).toEqual(['opened', 'early'])
  })

  test('stop and go on', async () => {
    const { made, input } = stream()
    const carried = await carry(streamTransport('/peer', () => Promise.resolve(made)))
    carried.transport.pause()
    input.write('later')
    await new Promise((resolve) => { setImmediate(resolve) })
    expect(carried.text()).toBe('')
    carried.transport.resume()
    await carried.until('later')
  })

  test('that were sent are told as taken', async () => {
    const { made, output } = stream()
    const carried = await carry(streamTransport('/peer', () => Promise.resolve(made)))
    await new Promise<void>((resolve) => { carried.transport.write(Buffer.from('x'), resolve) })
    expect(String(output.read())).toBe('x')
  })
})

test('the end is told once, with its reason', async () => {
  const { made, end } = stream()
  const reasons: string[] = []
  const transport = streamTransport('/peer', () => Promise.resolve(made))
  await transport.open({ data: () => {}, end: (reason) => { reasons.push(reason.message) } })
  end(new Error('the cable was pulled'))
  transport.close()
  await new Promise((resolve) => { setImmediate(resolve) })
  expect(reasons).toEqual(['the cable was pulled'])
})

test('what is aborted before it began is not dialled', async () => {
  const dialled: string[] = []
  const transport = streamTransport('/peer', () => { dialled.push('yes'); return Promise.reject(new Error('dialled')) })
  await expect(carry(transport, AbortSignal.abort(new Error('shutting down')))).rejects.toThrow('shutting down')
  expect(dialled).toEqual([])
})

test.each([['ECONNREFUSED', 'nothing listens there (ECONNREFUSED)'], ['ENOENT', 'there is no such socket (ENOENT)'], ['EPROTO', 'as it was']])('%s is explained', (code, message) => {
  expect(explained(Object.assign(new Error('as it was'), { code })).message).toBe(message)
})
