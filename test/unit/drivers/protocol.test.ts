// The table of procedures says what libvirt's own protocol files say.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { Program } from '../../../drivers/remote/frame.ts'
import { procedures, type Procedure } from '../../../drivers/remote/protocol.ts'

/** Every procedure of libvirt's programs by the name that its protocol file gives it: its number and the permissions that it needs. */
const captured = JSON.parse(await readFile(new URL('captured/procedures.json', import.meta.url), 'utf8')) as Record<'remote' | 'qemu', Record<string, [number: number, permissions: string]>>
const table: Procedure<any, any>[] = Object.values(procedures)

/** `DOMAIN_GET_XML_DESC` and `domainGetXMLDesc` are one name. */
const plain = (name: string): string => name.replaceAll('_', '').toLowerCase()
const known = new Map<string, { program: number; number: number; permissions: string }>([
  ...Object.entries(captured.remote).map(([name, [number, permissions]]) => [plain(name), { program: Program.REMOTE, number, permissions }] as const),
  ...Object.entries(captured.qemu).map(([name, [number, permissions]]) => [plain(`qemu${name}`), { program: Program.QEMU, number, permissions }] as const),
])

test('the captured table is whole: libvirt numbers its procedures without a gap', () => {
  for (const program of [captured.remote, captured.qemu]) expect(Object.values(program).map(([number]) => number)).toEqual(Array.from({ length: Object.keys(program).length }, (_, i) => i + 1))
})

test.each(table)('$name has the number $number that libvirt gives it', ({ name, program, number }) => {
  expect(known.get(plain(name))).toMatchObject({ program, number })
})

test('no two procedures share a number', () => {
  const ids = table.map(({ program, number }) => `${program}/${number}`)
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
})

/** Questions that need more than a reader's permission: they go through the agent or the hypervisor, or cost the host work. */
const asking = new Set([
  'connectDomainXMLFromNative', 'connectDomainXMLToNative', 'connectGetDomainCapabilities', 'connectCompareHypervisorCPU', 'connectBaselineHypervisorCPU',
  'domainBlockPeek', 'domainMemoryPeek', 'domainGetVcpusFlags', 'domainSaveImageGetXMLDesc', 'domainGetHostname', 'domainGetTime', 'domainGetFSInfo', 'domainInterfaceAddresses',
  'domainGetGuestVcpus', 'domainGetGuestInfo', 'domainAuthorizedSSHKeysGet', 'domainMigrateGetMaxSpeed', 'domainMigrateGetCompressionCache', 'domainMigrateGetMaxDowntime',
])

test.each(table)('$name is a change exactly where libvirt wants more than a reader for it, but for the questions that cost', ({ name, changing }) => {
  const permissions = known.get(plain(name))!.permissions.split(' ')
  const reads = permissions.every((permission) => permission === 'none' || /:(?:getattr|read|read_secure|search_\w+|data_read|screenshot|detect_\w+)(?::\w+)?$/.test(permission))
  expect(changing).toBe(!reads && !asking.has(name))
})
