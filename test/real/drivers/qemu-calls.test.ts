// The rest of libvirt's object model against QEMU (TCG): consoles, tunables, block jobs, checkpoints, backups, secrets, filters, and a migration.

import { chmod, copyFile, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  Affect, BlockCommitFlags, BlockJobAbortFlags, CheckpointXMLFlags, DomainState, DumpFlags, JobStatsFlags, JobType, MigrateFlags, NumatuneMode, SecretUsageType, SnapshotCreateFlags, SnapshotDeleteFlags, WipeAlgorithm,
  type Connection, type DomainRef,
} from '../../../drivers/driver.ts'
import { ErrorNumber, Unsupported, isAbsent } from '../../../drivers/errors.ts'
import { buildGuestImage } from '../../support/guest.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { failure, openAt, recorder } from './libvirtd.ts'

let host: PrivateLibvirtd
let c: Connection
let dom: DomainRef
let seen: ReturnType<typeof recorder>

beforeAll(async () => {
  host = await startLibvirtd({ name: 'qemucalls' })
  c = await openAt(host, 'qemu:///system')
  seen = recorder(c)
  await c.eventsRegister()
  const guest = await buildGuestImage()
  for (const folder of ['boot', 'disks']) await mkdir(join(host.root, 'var/lib/vireo', folder))
  for (const file of [guest.kernel, guest.initrd]) await copyFile(file, join(host.root, 'var/lib/vireo/boot', file.endsWith('vmlinuz') ? 'vmlinuz' : 'initrd'))
  await host.execOk(['qemu-img', 'create', '-f', 'qcow2', '/var/lib/vireo/disks/data.qcow2', '16M'])
  dom = await c.domainCreateWithFlags(await c.domainDefineXMLFlags(`<domain type='qemu'><name>guest</name><memory unit='MiB'>256</memory><vcpu current='1'>2</vcpu><iothreads>1</iothreads>
    <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/var/lib/vireo/boot/vmlinuz</kernel><initrd>/var/lib/vireo/boot/initrd</initrd><cmdline>console=ttyS0</cmdline></os><features><acpi/></features><devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/vireo/disks/data.qcow2'/><target dev='vdb' bus='virtio'/></disk>
    <serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><channel type='unix'><target type='virtio' name='vireo.channel'/></channel>
    <graphics type='vnc'/><video><model type='vga'/></video></devices></domain>`, 0), 0)
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

describe('streams', () => {
  test('a console says what the guest prints; a second one is refused unless it insists', async () => {
    const stream = await c.domainOpenConsole(dom, null, 0)
    expect(await failure(c.domainOpenConsole(dom, 'serial0', 0))).toMatchObject({ code: ErrorNumber.OPERATION_FAILED })
    let text = ''
    for await (const chunk of stream) {
      text += Buffer.from(chunk).toString('latin1')
      if (text.includes('vireo-guest: hostname guest')) break
    }
    expect(text).toContain('vireo-guest: no seed')
    // Leaving the reader has closed it: the next one needs no force.
    const next = await c.domainOpenConsole(dom, 'serial0', 0)
    await next.write(Buffer.from('x'))
    await next.finish()
    expect(await failure(next.write(Buffer.from('y')))).toBeInstanceOf(TypeError)
    await c.connectIsAlive()
  })

  test('a channel is opened by its name and closed in good order', async () => {
    const channel = await c.domainOpenChannel(dom, 'vireo.channel', 0)
    await channel.write(Buffer.from('to nobody'))
    await channel.finish()
    expect(await failure(c.domainOpenChannel(dom, 'no.such', 0))).toMatchObject({ code: ErrorNumber.INTERNAL_ERROR })
  })

  test('a picture of the screen', async () => {
    const { mime, stream } = await c.domainScreenshot(dom, 0)
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    expect(mime).toMatch(/^image\//)
    expect(bytes).toBeGreaterThan(1000)
  })
})

describe('description', () => {
  test('the node', async () => {
    expect(Object.keys(await c.nodeGetCPUStats(-1))).toEqual(['kernel', 'user', 'idle', 'iowait'])
    const memory = await c.nodeGetMemoryStats(-1)
    expect(memory).toMatchObject({ total: expect.any(BigInt), free: expect.any(BigInt), buffers: expect.any(BigInt), cached: expect.any(BigInt) })
    expect(String(memory['total'])).toBe(/total\s*:\s+(\d+) KiB/.exec(await host.execOk(['virsh', 'nodememstats']))![1])
    expect(await c.nodeGetCPUMap()).toMatchObject({ cpus: expect.any(Number), online: expect.arrayContaining([0]) })
    expect((await c.nodeGetFreePages([4], 0, 1))[0]).toBeGreaterThan(0)
    expect(await c.nodeGetMemoryParameters()).toMatchObject({ shm_pages_to_scan: expect.any(Number) })
    expect(await c.nodeGetSecurityModel()).toEqual({ model: 'none', doi: '0' })
    expect(await c.connectGetStoragePoolCapabilities()).toMatch(/^<storagepoolCapabilities>/)
    expect(await c.connectBaselineHypervisorCPU(null, 'x86_64', null, 'qemu', ['<cpu><arch>x86_64</arch><model>qemu64</model></cpu>'], 0)).toContain('qemu64')
    expect(await c.connectDomainXMLToNative('qemu-argv', await c.domainGetXMLDesc(dom, 0))).toContain('-name guest=guest')
  })

  test('the guest', async () => {
    expect(await c.domainMemoryStats(dom)).toMatchObject({ actual_balloon: 262_144n, rss: expect.any(BigInt) })
    expect(await c.domainBlockStatsFlags(dom, 'vdb', 0)).toMatchObject({ rd_operations: expect.any(BigInt), flush_total_times: expect.any(BigInt) })
    expect(await c.domainGetSecurityLabelList(dom)).toContainEqual({ label: '+64055:+64055', enforcing: false })
    expect(await c.domainGetJobInfo(dom)).toMatchObject({ type: JobType.NONE, memTotal: 0 })
    expect((await c.domainMemoryPeek(dom, 0, 16, 2)).length).toBe(16)
    expect((await c.domainListGetStats([dom], 0)).map(({ dom: { name } }) => name)).toEqual(['guest'])
    expect(await c.qemuDomainMonitorCommand(dom, '{"execute":"query-status"}', 0)).toContain('"status":"running"')
  })

  test('an agent that is not there is AGENT_UNRESPONSIVE', async () => {
    await c.domainAgentSetResponseTimeout(dom, 1)
    const asked = [c.domainGetGuestInfo(dom, 0), c.domainSetUserPassword(dom, 'root', 'correct-horse', 0), c.qemuDomainAgentCommand(dom, '{"execute":"guest-ping"}', 1)]
    for (const reason of await Promise.all(asked.map(failure))) {
      expect(reason.code).toBe(ErrorNumber.AGENT_UNRESPONSIVE)
      expect(reason.message).not.toContain('correct-horse')
    }
  })
})

test('tunables keep the type that libvirt wants', async () => {
  await c.domainSetSchedulerParameters(dom, { cpu_shares: 500, vcpu_quota: 50_000, vcpu_period: 100_000 }, Affect.CONFIG)
  expect(await c.domainGetSchedulerParameters(dom, Affect.CONFIG)).toMatchObject({ cpu_shares: 500n, vcpu_quota: 50_000n, vcpu_period: 100_000n })
  await c.domainSetMemoryParameters(dom, { hard_limit: 1_000_000, soft_limit: 500_000 }, Affect.CONFIG)
  expect(await c.domainGetMemoryParameters(dom, Affect.CONFIG)).toMatchObject({ hard_limit: 1_000_000n, soft_limit: 500_000n })
  await c.domainSetBlkioParameters(dom, { weight: 500, device_weight: '/dev/null,200' }, Affect.CONFIG)
  expect(await c.domainGetBlkioParameters(dom, Affect.CONFIG)).toMatchObject({ weight: 500, device_weight: '/dev/null,200' })
  await c.domainSetNumaParameters(dom, { numa_nodeset: '0', numa_mode: NumatuneMode.PREFERRED }, Affect.CONFIG)
  expect(await c.domainGetNumaParameters(dom, Affect.CONFIG)).toMatchObject({ numa_nodeset: '0', numa_mode: NumatuneMode.PREFERRED })
  await c.domainSetBlockIoTune(dom, 'vdb', { total_bytes_sec: 100_000_000, total_bytes_sec_max: 200_000_000, group_name: 'g' }, Affect.LIVE)
  expect(await c.domainGetBlockIoTune(dom, 'vdb', Affect.LIVE)).toMatchObject({ total_bytes_sec: 100_000_000n, group_name: 'g', total_bytes_sec_max_length: 1n })
  await seen.saw('domain', 'tunable')
  await c.domainPinVcpu(dom, 0, [0], Affect.LIVE | Affect.CONFIG)
  expect((await c.domainGetVcpuPinInfo(dom, 2, 2, Affect.CONFIG))[0]).toEqual([0])
  await c.domainPinEmulator(dom, [0], Affect.CONFIG)
  expect(await c.domainGetEmulatorPinInfo(dom, 2, Affect.CONFIG)).toEqual([0])
  await c.domainAddIOThread(dom, 5, Affect.LIVE)
  await c.domainSetIOThreadParams(dom, 5, { poll_max_ns: 1000, poll_grow: 2 }, Affect.LIVE)
  expect((await c.domainGetIOThreadInfo(dom, Affect.LIVE)).map(({ id }) => id)).toEqual(expect.arrayContaining([1, 5]))
  await c.domainDelIOThread(dom, 5, Affect.LIVE)
  await c.domainSetVcpu(dom, '1', true, Affect.LIVE)
  expect(await c.domainGetVcpusFlags(dom, Affect.LIVE)).toBe(2)
  await c.domainSetBlockThreshold(dom, 'vdb', 1_000_000)
})

describe('block jobs', () => {
  const finished = (status: number, job: number) => seen.saw('domain', 'block-job', (event) => event.status === status && event.job === job)

  test('a copy runs, is slowed, and is given up', async () => {
    expect(await c.domainGetBlockJobInfo(dom, 'vdb', 0)).toBeNull()
    await c.domainBlockCopy(dom, 'vdb', `<disk type='file'><source file='/var/lib/vireo/disks/copy.qcow2'/><driver type='qcow2'/></disk>`, { bandwidth: 100_000, granularity: 65_536 }, 4)
    expect(await c.domainGetBlockJobInfo(dom, 'vdb', 0)).toMatchObject({ type: 2, end: 16 * 1024 * 1024 })
    await c.domainBlockJobSetSpeed(dom, 'vdb', 10, 0)
    await c.domainBlockJobAbort(dom, 'vdb', 0)
    await finished(2, 2)
    expect(await c.domainGetBlockJobInfo(dom, 'vdb', 0)).toBeNull()
  })

  test('an external snapshot is committed back, and its file is left', async () => {
    const snapshot = await c.domainSnapshotCreateXML(dom, `<domainsnapshot><name>s1</name><disks><disk name='vdb' snapshot='external'><source file='/var/lib/vireo/disks/data.s1'/></disk></disks></domainsnapshot>`, SnapshotCreateFlags.DISK_ONLY)
    expect(await c.domainGetXMLDesc(dom, 0)).toContain('/var/lib/vireo/disks/data.s1')
    await c.domainBlockCommit(dom, 'vdb', null, null, 0, BlockCommitFlags.ACTIVE)
    await finished(3, 4)
    await c.domainBlockJobAbort(dom, 'vdb', BlockJobAbortFlags.PIVOT)
    await finished(0, 4)
    expect(await c.domainGetXMLDesc(dom, 0)).not.toContain('data.s1')
    await c.domainSnapshotDelete(snapshot, SnapshotDeleteFlags.METADATA_ONLY)
    expect(isAbsent(await failure(c.domainSnapshotLookupByName(dom, 's1')), 'snapshot')).toBe(true)
  })

  test('a backup with a checkpoint for the next one', async () => {
    expect(await failure(c.domainBackupGetXMLDesc(dom))).toMatchObject({ code: ErrorNumber.NO_DOMAIN_BACKUP })
    await c.domainBackupBegin(dom, `<domainbackup><disks><disk name='vdb' type='file'><target file='/var/lib/vireo/disks/backup.qcow2'/><driver type='qcow2'/></disk></disks></domainbackup>`, '<domaincheckpoint><name>c1</name></domaincheckpoint>', 0)
    await seen.saw('domain', 'job-completed')
    const stats = await c.domainGetJobStats(dom, JobStatsFlags.COMPLETED)
    expect(stats).toMatchObject({ type: JobType.COMPLETED, params: { operation: 9, disk_total: 16n * 1024n * 1024n, success: true } })
    expect((await stat(join(host.root, 'var/lib/vireo/disks/backup.qcow2'))).size).toBeGreaterThan(0)
    const [checkpoint] = await c.domainListAllCheckpoints(dom, 0)
    expect([checkpoint!.name, checkpoint!.dom.uuid]).toEqual(['c1', dom.uuid])
    expect(await c.domainCheckpointGetXMLDesc(checkpoint!, CheckpointXMLFlags.NO_DOMAIN)).toContain(`<disk name='vdb' checkpoint='bitmap' bitmap='c1'/>`)
    expect(await c.domainCheckpointListAllChildren(checkpoint!, 0)).toEqual([])
    expect(await failure(c.domainCheckpointGetParent(checkpoint!))).toMatchObject({ code: ErrorNumber.NO_DOMAIN_CHECKPOINT })
    await c.domainCheckpointDelete(checkpoint!, 0)
    expect(isAbsent(await failure(c.domainCheckpointLookupByName(dom, 'c1')), 'checkpoint')).toBe(true)
  })
})

describe('the other kinds', () => {
  test('a secret keeps its value, and none is told before it was set', async () => {
    const secret = await c.secretDefineXML(`<secret ephemeral='no' private='no'><usage type='volume'><volume>/v</volume></usage></secret>`, 0)
    expect(secret).toEqual({ uuid: expect.any(String), usageType: SecretUsageType.VOLUME, usageID: '/v' })
    expect(await c.secretLookupByUsage(SecretUsageType.VOLUME, '/v')).toEqual(secret)
    expect(await c.secretLookupByUUID(secret.uuid)).toEqual(secret)
    expect(await failure(c.secretGetValue(secret))).toMatchObject({ code: ErrorNumber.NO_SECRET })
    const value = Uint8Array.of(0, 255, 10, 0)
    await c.secretSetValue(secret, value)
    expect(Buffer.from(await c.secretGetValue(secret)).equals(value)).toBe(true)
    expect(await c.secretGetXMLDesc(secret)).toContain('<volume>/v</volume>')
    expect(await c.connectListAllSecrets()).toEqual([secret])
    await c.secretUndefine(secret)
    expect(isAbsent(await failure(c.secretLookupByUUID(secret.uuid)), 'secret')).toBe(true)
    for (const name of ['lifecycle', 'value-changed'] as const) expect(await seen.saw('secret', name)).toMatchObject({ secret })
  })

  test('network filters', async () => {
    expect((await c.connectListAllNWFilters()).map(({ name }) => name)).toContain('clean-traffic')
    const filter = await c.nwfilterDefineXMLFlags(`<filter name='vireo' chain='root'><rule action='accept' direction='in'/></filter>`, 1)
    expect(await c.nwfilterLookupByName('vireo')).toEqual(filter)
    expect(await c.nwfilterLookupByUUID(filter.uuid)).toEqual(filter)
    expect(await c.nwfilterGetXMLDesc(filter)).toContain(`<rule action='accept'`)
    expect(await c.connectListAllNWFilterBindings()).toEqual([])
    await c.nwfilterUndefine(filter)
    expect(isAbsent(await failure(c.nwfilterLookupByName('vireo')), 'nwfilter')).toBe(true)
    expect(isAbsent(await failure(c.nwfilterBindingLookupByPortDev('vnet0')), 'nwfilterBinding')).toBe(true)
  })

  test('node devices and their persistence', async () => {
    const devices = await c.connectListAllNodeDevices()
    expect(devices).toContainEqual({ name: 'computer' })
    expect(await c.nodeDeviceIsActive({ name: 'computer' })).toBe(true)
    expect(isAbsent(await failure(c.nodeDeviceLookupByName('no_such_device')), 'nodeDevice')).toBe(true)
  })

  test('network metadata came with a later libvirt than 9.0, and an earlier one says so', async () => {
    const net = await c.networkCreateXML(`<network><name>titled</name><bridge name='vtitled'/></network>`)
    const [version, set] = [await c.connectGetLibVersion(), c.networkSetMetadata(net, 1, 'a title', null, null, Affect.LIVE)]
    if (version < 9_007_000) {
      expect(await failure(set)).toBeInstanceOf(Unsupported)
    } else {
      await set
      expect(await c.networkGetMetadata(net, 1, null, Affect.LIVE)).toBe('a title')
    }
    await c.connectIsAlive()
    await c.networkDestroy(net)
  })

  test('network ports are listed', async () => {
    const net = await c.networkCreateXML(`<network><name>ports</name><bridge name='vports'/></network>`)
    expect(await c.networkListAllPorts(net)).toEqual([])
    const port = await c.networkPortCreateXML(net, `<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner><name>guest</name><uuid>${dom.uuid}</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>`, 0)
    expect([port, await c.networkListAllPorts(net)]).toEqual([{ net, uuid: '5d744f21-ba4a-4d6e-bdb2-30a35ff3207d' }, [port]])
    expect(await c.networkPortLookupByUUID(net, port.uuid)).toEqual(port)
    expect(await c.networkPortGetXMLDesc(port)).toContain('52:54:00:00:00:01')
    expect({ ...await c.networkPortGetParameters(port) }).toEqual({})
    await c.networkPortDelete(port)
    expect(isAbsent(await failure(c.networkPortLookupByUUID(net, port.uuid)), 'networkPort')).toBe(true)
    await c.networkDestroy(net)
  })

  test('a wiped volume is empty', async () => {
    const pool = await c.storagePoolCreateXML(`<pool type='dir'><name>wiped</name><target><path>/var/lib/vireo/disks</path></target></pool>`, 0)
    const vol = await c.storageVolCreateXML(pool, `<volume><name>w</name><capacity>65536</capacity><target><format type='raw'/></target></volume>`, 0)
    const upload = await c.storageVolUpload(vol, 0, 65_536, 0)
    await upload.write(Buffer.alloc(65_536, 7))
    await upload.finish()
    await c.storageVolWipePattern(vol, WipeAlgorithm.ZERO)
    for await (const chunk of await c.storageVolDownload(vol, 0, 0, 0)) expect(Buffer.from(chunk).every((byte) => byte === 0)).toBe(true)
    expect(await c.storageVolGetInfoFlags(vol, 1)).toMatchObject({ allocation: 65_536 })
    expect(await c.storagePoolLookupByTargetPath('/var/lib/vireo/disks')).toEqual(pool)
    await c.storageVolDelete(vol, 0)
    await c.storagePoolDestroy(pool)
  })
})

test('its memory goes to a file and comes back', async () => {
  await c.domainCoreDumpWithFormat(dom, '/var/lib/vireo/dumped', 0, DumpFlags.MEMORY_ONLY)
  expect((await stat(join(host.root, 'var/lib/vireo/dumped'))).size).toBeGreaterThan(100 * 1024 * 1024)
  await c.domainManagedSave(dom, 0)
  expect(await c.domainManagedSaveGetXMLDesc(dom, 0)).toContain('<name>guest</name>')
  expect(await c.domainGetState(dom)).toMatchObject({ state: DomainState.Shutoff })
  const back = await c.domainCreateWithFlags(dom, 0)
  expect(await c.domainHasManagedSaveImage(back)).toBe(false)
  await c.domainDestroyFlags(back, 0)
  await c.domainRename(dom, 'renamed')
  expect((await c.domainLookupByUUID(dom.uuid)).name).toBe('renamed')
})

test('a guest moves to another host by the five steps, each with the other\'s cookie', async () => {
  const [there, meeting] = await Promise.all([startLibvirtd({ name: 'there', halting: true }), mkdtemp(join(tmpdir(), 'vireo-meeting-'))])
  onTestFinished(async () => { await there.stop(); await rm(meeting, { recursive: true, force: true }) })
  await chmod(meeting, 0o777)
  const [source, destination] = await Promise.all([openAt(host, 'qemu:///system'), openAt(there, 'qemu:///system')])
  const moving = await source.domainCreateXML(`<domain type='qemu'><name>moving</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>`, 0)
  const params = { migrate_uri: `unix://${meeting}/socket` }
  const flags = MigrateFlags.LIVE
  const begun = await source.domainMigrateBegin3Params(moving, params, flags)
  expect(begun.xml).toContain('<name>moving</name>')
  const prepared = await destination.domainMigratePrepare3Params({ ...params, destination_xml: begun.xml }, begun.cookie, flags)
  await source.domainMigrateSetMaxDowntime(moving, 500)
  expect(await source.domainMigrateGetMaxDowntime(moving)).toBe(500)
  const performed = await source.domainMigratePerform3Params(moving, null, { ...params, migrate_uri: prepared.uri ?? params.migrate_uri }, prepared.cookie, flags)
  const finished = await destination.domainMigrateFinish3Params({ ...params, destination_name: 'moving' }, performed, flags, false)
  expect([finished.dom.name, finished.dom.uuid]).toEqual(['moving', moving.uuid])
  await source.domainMigrateConfirm3Params(moving, params, finished.cookie, flags, false)
  expect(isAbsent(await failure(source.domainLookupByUUID(moving.uuid)), 'domain')).toBe(true)
  await until('it runs there', async () => (await destination.domainGetState(finished.dom)).state === DomainState.Running)
  await destination.domainDestroyFlags(finished.dom, 0)
  for (const connection of [source, destination]) await connection.close()
})
