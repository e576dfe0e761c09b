// Carries the bytes over the standard input and output of a child process.

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { monotonicClock } from '../../../clock/clock.ts'
import { streamTransport, type ByteStream } from './stream.ts'
import type { Transport } from './transport.ts'

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** What a program says of its failure is kept to this many bytes. */
const SAID_MAX = 4096
/** How long a program may take to end after SIGTERM, ms. */
const GRACE = 2_000

export interface Ended { code: number | null; signal: NodeJS.Signals | null; /** The end of what it wrote to standard error. */ said: string }

export interface ChildOptions {
  peer: string
  /** The program and its arguments: no shell reads them. Called at each opening. */
  command: () => Promise<{ file: string; args: readonly string[]; dispose?: () => Promise<void> }>
  /** Why it ended, as an error with a sentence. */
  explain: (ended: Ended) => Error
  /** A line that the program prints before the daemon's bytes begin; what stands before it is dropped. */
  marker?: string
}

/** Output in front of the marker that is borne: a login shell may be talkative. */
const CHATTER_MAX = 65_536

const streamOf = (child: Child, explain: ChildOptions['explain'], dispose: (() => Promise<void>) | undefined): ByteStream => {
  let said = Buffer.alloc(0)
  child.stderr.on('data', (chunk: Buffer) => { said = Buffer.concat([said, chunk]).subarray(-SAID_MAX) })
  // A program that reads no more has its say at its end.
  child.stdin.on('error', () => {})
  let failure: Error | undefined
  let kill: { cancel(): void } | undefined
  child.on('error', (error) => { failure = error })
  const ended = new Promise<Error>((resolve) => {
    child.on('close', (code, signal) => {
      kill?.cancel()
      void dispose?.()
      resolve(failure ?? explain({ code, signal, said: said.toString('utf8') }))
    })
  })
  return {
    input: child.stdout,
    output: child.stdin,
    ended,
    destroy: () => {
      child.stdin.destroy()
      child.stdout.destroy()
      if (child.exitCode !== null || child.signalCode !== null || kill) return
      child.kill('SIGTERM')
      kill = monotonicClock.setTimeout(() => { child.kill('SIGKILL') }, GRACE)
    },
  }
}

/** Resolves when the marker has passed by; what follows it is still to be read. */
const untilMarked = (input: Readable, marker: string): Promise<void> => new Promise((resolve, reject) => {
  let seen = Buffer.alloc(0)
  const line = Buffer.from(`${marker}\n`)
  const read = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk])
    const at = seen.indexOf(line)
    if (at < 0 && seen.length <= CHATTER_MAX) return
    input.off('data', read)
    input.pause()
    if (at < 0) return reject(new Error(`what runs there printed more than ${CHATTER_MAX} bytes before libvirt answered: keep the login shell quiet`))
    const rest = seen.subarray(at + line.length)
    if (rest.length > 0) input.unshift(rest)
    resolve()
  }
  input.on('data', read)
})

export const childTransport = ({ peer, command, explain, marker }: ChildOptions): Transport => streamTransport(peer, async (signal) => {
  const { file, args, dispose } = await command()
  // A session of its own: it has no terminal to ask at, and Ctrl-C at ours does not end it before its time.
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const stream = streamOf(child, explain, dispose)
  const abort = (): void => stream.destroy()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const ready = marker === undefined ? new Promise<void>((resolve) => { child.once('spawn', resolve) }) : untilMarked(child.stdout, marker)
    await Promise.race([ready, stream.ended.then((reason) => { throw reason })])
    signal?.throwIfAborted()
    return stream
  } catch (error) {
    stream.destroy()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
})

/** The last line that a person may want to read, without control characters. */
export const lastWords = (said: string): string =>
  said.split('\n').map((line) => line.replaceAll(/[\x00-\x1f\x7f]/g, '').trim()).findLast((line) => line !== '')?.slice(0, 300) ?? '' // oxlint-disable-line no-control-regex -- they are what is taken out
