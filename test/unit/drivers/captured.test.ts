// The client says on the wire what it said to a real libvirtd, and understands the same answers in the same way.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { replay, type Capture } from '../../support/rpc/captured.ts'

test('a captured conversation with libvirtd is repeated byte for byte and read alike', async () => {
  const capture = JSON.parse(await readFile(new URL('captured/libvirtd.json', import.meta.url), 'utf8')) as Capture
  const results: unknown = JSON.parse(JSON.stringify(await replay(capture), (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)))
  expect(results).toEqual(capture.results)
  expect(results).toMatchObject({
    classes: ['connection', 'domain', 'network', 'nodedev', 'pool'], libVersion: 9_000_000,
    absent: { name: 'LibvirtError', code: 42, procedure: 'domainLookupByName' }, lacking: { name: 'Unsupported', code: 3, procedure: 'domainGetJobInfo' },
    emulator: Array.from({ length: 16 }, (_, cpu) => cpu), security: { model: 'testSecurity', doi: '' },
    events: [{ name: 'lifecycle', event: 0 }, { name: 'lifecycle', event: 2 }, { name: 'lifecycle', event: 5 }, { name: 'lifecycle', event: 1 }],
  })
})
