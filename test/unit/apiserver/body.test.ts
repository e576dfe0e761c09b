// Bodies as they are read: JSON strictly, YAML as Kubernetes reads it.

import { expect, test } from 'vitest'
import { parseBody } from '../../../apiserver/http/body.ts'

const yaml = async (text: string): Promise<unknown> => (await parseBody(Buffer.from(text), 'yaml')).value

test.each<[string, unknown]>([
  ['a: {.: {}, "f:x": {}}', { a: { '.': {}, 'f:x': {} } }], ['a: .', { a: '.' }], ['a: +', { a: '+' }], ['a: .5', { a: 0.5 }], ['a: 1e3', { a: 1000 }], ['a: 0711', { a: 457 }], ['a: yes', { a: true }], ['off: 1', { false: 1 }],
  ['a:', { a: null }], ['a: &x {b: 1}\nc: *x', { a: { b: 1 }, c: { b: 1 } }], ['a: 2026-01-01', { a: '2026-01-01' }], ['a: 2026-01-01T00:00:00Z', { a: '2026-01-01T00:00:00Z' }], ['a: 52:54:00:11:22:33', { a: '52:54:00:11:22:33' }], ['a: 1:30', { a: '1:30' }], ['', null],
])('%j is %j', async (text, expected) => { expect(await yaml(text)).toEqual(expected) })

test('a key that comes twice counts as its last, and is told with its line', async () => {
  expect(await parseBody(Buffer.from('a: 1\nb:\n- c: 1\n  c: 2\n'), 'yaml')).toEqual({ value: { a: 1, b: [{ c: 2 }] }, complaints: ['line 4: key "c" already set in map'] })
  expect(await parseBody(Buffer.from('{"a":{"b":1,"b":2}}'), 'json')).toEqual({ value: { a: { b: 2 } }, complaints: ['duplicate field "a.b"'] })
})

test.each<['json' | 'yaml', string]>([['yaml', 'a: b: c'], ['yaml', 'a: .nan'], ['yaml', 'a: .inf'], ['json', '{'], ['json', '\xff']])('%s %j is refused', async (format, text) => {
  await expect(parseBody(Buffer.from(text, 'latin1'), format)).rejects.toThrow(/./)
})
