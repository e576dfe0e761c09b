// Back-pressure: an upload takes the memory of what is on the way, not of what could be read.

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../../scripts/run.ts'
import { startLibvirtd } from '../../support/libvirtd.ts'
import { openAt } from './libvirtd.ts'

const size = 2 ** 30

test('a volume of 1 GiB is uploaded with less than 150 MB, though its source is much faster than the host', async () => {
  await using host = await startLibvirtd({ name: 'upload' })
  const c = await openAt(host, 'qemu:///system')
  const pool = await c.storagePoolCreateXML(`<pool type='dir'><name>bench</name><target><path>/srv</path></target></pool>`, 0)
  const vol = await c.storageVolCreateXML(pool, `<volume><name>bench</name><capacity>${size}</capacity><target><format type='raw'/></target></volume>`, 0)
  // A hole: it is read as fast as memory can be filled with zeros.
  const source = join(host.folder, 'source')
  const file = await open(source, 'w')
  await file.truncate(size)
  await file.close()
  const { code, stdout, stderr } = await run([process.execPath, join(import.meta.dirname, '../../../bench/rpc/client.ts'), host.uri('qemu:///system'), 'upload', String(size), source])
  expect([code, stderr]).toEqual([0, ''])
  expect((JSON.parse(stdout) as { peakMB: number }).peakMB).toBeLessThan(150)
  expect(await c.storageVolGetInfo(vol)).toMatchObject({ capacity: size })
  await c.close()
})
