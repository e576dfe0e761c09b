// The rest of libvirt's object model against libvirt's own test driver: what it answers with is fixed, so that every field can be held against it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, ALL, CPUCompare, ListDomainsFlags, MetadataType, StatsTypes, WipeAlgorithm, type Connection, type DomainRef } from '../../../drivers/driver.ts'
import { ErrorNumber, Unsupported, isAbsent } from '../../../drivers/errors.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, openAt } from './libvirtd.ts'

let host: PrivateLibvirtd
let c: Connection
let dom: DomainRef

beforeAll(async () => {
  host = await startLibvirtd({ name: 'testcalls' })
  c = await openAt(host, 'test:///default')
  dom = await c.domainCreateXML(`<domain type='test'><name>calls</name><memory>65536</memory><vcpu>2</vcpu><os><type>hvm</type></os><devices>
    <disk type='file' device='disk'><source file='/d'/><target dev='vda'/></disk><interface type='network'><source network='default'/><target dev='calls0'/></interface></devices></domain>`, 0)
  await c.domainDefineXMLFlags(await c.domainGetXMLDesc(dom, 2), 0)
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})
const plain = (params: object): object => ({ ...params })

describe('connect and node', () => {
  test('documents', async () => {
    expect(await c.connectGetSysinfo()).toContain(`<entry name='vendor'>LENOVO</entry>`)
    expect(await c.connectFindStoragePoolSources('logical', null)).toContain('<name>testvg1</name>')
    expect(await c.connectBaselineCPU(['<cpu><arch>i686</arch><model>pentium3</model></cpu>'], 0)).toContain('<model fallback=\'forbid\'>pentium3</model>')
    expect(await c.connectGetCPUModelNames('x86_64')).toContain('qemu64')
  })

  test('numbers', async () => {
    expect(await c.connectGetMaxVcpus(null)).toBe(32)
    expect(await c.connectIsSecure()).toBe(true)
    expect(await c.nodeGetFreeMemory()).toBe(3_145_728)
    expect(await c.nodeGetCellsFreeMemory(0, 2)).toEqual([2_097_152, 4_194_304])
    expect(Object.keys(await c.nodeGetCPUStats(ALL))).toEqual(['user', 'kernel', 'idle', 'iowait'])
    expect(await c.nodeGetCPUMap()).toEqual({ cpus: 8, online: [0, 2, 4] })
    expect(await c.nodeGetSecurityModel()).toEqual({ model: 'testSecurity', doi: '' })
    await c.connectSetIdentity({ 'user-name': 'somebody' })
  })

  test('what the driver lacks is Unsupported by the driver\'s name, each time', async () => {
    for (let i = 0; i < 2; i++) {
      const reason = await failure(c.connectCompareCPU('<cpu/>', 0))
      expect(reason).toBeInstanceOf(Unsupported)
      expect(reason).toMatchObject({ code: ErrorNumber.NO_SUPPORT, driver: 'TEST', procedure: 'connectCompareCPU', message: 'libvirt\'s TEST driver has no connectCompareCPU' })
    }
    expect(await failure(c.domainOpenConsole(dom, null, 0))).toBeInstanceOf(Unsupported)
    expect(await failure(c.storageVolWipePattern({ pool: 'default-pool', name: 'v', key: '/v' }, WipeAlgorithm.ZERO))).toBeInstanceOf(Unsupported)
    expect(await failure(c.qemuDomainMonitorCommand(dom, '{}', 0))).toBeInstanceOf(Unsupported)
    expect(CPUCompare.INCOMPATIBLE).toBe(0)
  })
})

describe('domains', () => {
  test('lists and statistics by choice', async () => {
    expect((await c.connectListAllDomains(ListDomainsFlags.ACTIVE)).map(({ name }) => name).toSorted()).toEqual(['calls', 'test'])
    expect(await c.connectListAllDomains(ListDomainsFlags.INACTIVE)).toEqual([])
    const [record, ...rest] = await c.domainListGetStats([dom], StatsTypes.STATE)
    expect([record!.dom, plain(record!.params), rest]).toEqual([dom, { 'state.state': 1, 'state.reason': 1 }, []])
  })

  test('description', async () => {
    expect(await c.domainGetControlInfo(dom)).toEqual({ state: 0, details: 0, stateTime: 0 })
    expect(await c.domainGetOSType(dom)).toBe('linux')
    expect(await c.domainIsActive(dom)).toBe(true)
    expect(await c.domainIsUpdated(dom)).toBe(false)
    expect(await c.domainGetMessages(dom)).toEqual([])
    expect(await c.domainGetSecurityLabel(dom)).toEqual({ label: 'libvirt-test', enforcing: true })
    expect(await c.domainGetDiskErrors(dom)).toEqual([{ disk: 'vda', error: 1 }])
    expect(await c.domainMemoryStats(await c.domainLookupByName('test'))).toMatchObject({ actual_balloon: 2_097_152n, hugetlb_pgfail: 0n })
    expect(await c.domainBlockStats(dom, 'vda')).toMatchObject({ rdReq: expect.any(BigInt), errs: expect.any(BigInt) })
    expect(await c.domainInterfaceStats(dom, 'calls0')).toMatchObject({ rxBytes: expect.any(BigInt), txDrop: expect.any(BigInt) })
    expect(plain(await c.domainGetCPUStats(dom))).toEqual({ cpu_time: 48_772_617_035n, user_time: 5_540_000_000n, system_time: 6_460_000_000n })
  })

  test('the guest\'s agent', async () => {
    expect(await c.domainGetFSInfo(dom)).toEqual([
      { mountpoint: '/', name: 'vda1', fstype: 'ext4', devAliases: ['vda'] }, { mountpoint: '/boot', name: 'vda2', fstype: 'ext4', devAliases: ['vda'] },
    ])
    expect(await c.domainGetTime(dom)).toEqual({ seconds: 627_319_920n, nseconds: 0 })
    expect(await c.domainFSFreeze(dom, [])).toBe(2)
    expect(await c.domainFSThaw(dom, ['/'])).toBe(1)
    expect(await c.domainFSThaw(dom, [])).toBe(1)
    await c.domainFSTrim(dom, null, 0)
    await c.domainSetUserPassword(dom, 'root', 'correct-horse', 0)
  })

  test('metadata is what was set, and absent before', async () => {
    expect(isAbsent(await failure(c.domainGetMetadata(dom, MetadataType.TITLE, null, Affect.LIVE)), 'metadata')).toBe(true)
    await c.domainSetMetadata(dom, MetadataType.TITLE, 'a title', null, null, Affect.LIVE)
    expect(await c.domainGetMetadata(dom, MetadataType.TITLE, null, Affect.LIVE)).toBe('a title')
  })

  test('CPUs and IOThreads', async () => {
    expect(await c.domainGetVcpusFlags(dom, Affect.MAXIMUM)).toBe(2)
    await c.domainPinVcpu(dom, 1, [0, 3, 15], Affect.CURRENT)
    expect((await c.domainGetVcpuPinInfo(dom, 2, 16, Affect.CURRENT))[1]).toEqual([0, 3, 15])
    const [first, second] = await c.domainGetVcpus(dom, 2, 16)
    expect([first!.number, first!.state, first!.cpumap.length, second!.cpumap]).toEqual([0, 1, 16, [0, 3, 15]])
    await c.domainPinEmulator(dom, [9], Affect.CURRENT)
    expect(await c.domainGetEmulatorPinInfo(dom, 16, Affect.CURRENT)).toEqual([9])
    await c.domainAddIOThread(dom, 5, Affect.LIVE)
    await c.domainPinIOThread(dom, 5, [1, 2], Affect.LIVE)
    await c.domainSetIOThreadParams(dom, 5, { poll_max_ns: 1000 }, Affect.LIVE)
    expect((await c.domainGetIOThreadInfo(dom, Affect.CONFIG)).map(({ id }) => id)).not.toContain(5)
    expect((await c.domainGetIOThreadInfo(dom, Affect.LIVE)).map(({ id }) => id)).toEqual([5])
    await c.domainDelIOThread(dom, 5, Affect.LIVE)
  })

  test('tunables keep the type that libvirt wants, given as plain numbers', async () => {
    expect(await c.domainGetSchedulerType(dom)).toBe('fair')
    await c.domainSetSchedulerParameters(dom, { weight: 100 }, 0)
    await c.domainSetMemoryParameters(dom, { hard_limit: 1_000_000 }, Affect.LIVE)
    expect(await c.domainGetMemoryParameters(dom, Affect.LIVE)).toMatchObject({ hard_limit: 1_000_000n, soft_limit: 9_007_199_254_740_991n })
    await c.domainSetNumaParameters(dom, { numa_nodeset: '0', numa_mode: 0 }, Affect.CONFIG)
    expect(plain(await c.domainGetNumaParameters(dom, Affect.CONFIG))).toEqual({ numa_nodeset: '0', numa_mode: 0 })
    await c.domainSetInterfaceParameters(dom, 'calls0', { 'inbound.average': 100, 'outbound.peak': 0 }, Affect.LIVE)
    expect(await c.domainGetInterfaceParameters(dom, 'calls0', Affect.LIVE)).toMatchObject({ 'inbound.average': 100, 'outbound.average': 0 })
    await c.domainSetBlockIoTune(dom, 'vda', { total_bytes_sec: 1_000_000, total_bytes_sec_max: 2_000_000, group_name: 'g' }, Affect.LIVE)
    expect(await c.domainGetBlockIoTune(dom, 'vda', Affect.LIVE)).toMatchObject({ total_bytes_sec: 1_000_000n, total_bytes_sec_max: 2_000_000n, group_name: 'g', read_iops_sec: 0n })
    expect(await c.domainGetBlkioParameters(dom, Affect.LIVE)).toMatchObject({ weight: 0, device_weight: '' })
    await c.domainSetPerfEvents(dom, { cmt: true }, Affect.LIVE)
    expect(await c.domainGetPerfEvents(dom, Affect.LIVE)).toMatchObject({ cmt: true, mbmt: false })
  })

  test('a wrong type is refused by libvirt, so that the table of types matters', async () => {
    expect(await failure(c.domainSetMemoryParameters(dom, { hard_limit: 'much' }, Affect.LIVE))).toBeInstanceOf(TypeError)
    expect(await failure(c.domainSetPerfEvents(dom, { cmt: 1 }, Affect.LIVE))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
  })

  test('a picture of the screen', async () => {
    const { mime, stream } = await c.domainScreenshot(dom, 0)
    const chunks: Uint8Array[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(mime).toBe('image/png')
    expect(Buffer.concat(chunks).subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  })

  test('snapshots from creation to deletion', async () => {
    expect(await c.domainHasCurrentSnapshot(dom)).toBe(false)
    const first = await c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>s1</name></domainsnapshot>', 0)
    const second = await c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>s2</name></domainsnapshot>', 0)
    expect([first.name, first.dom.uuid]).toEqual(['s1', dom.uuid])
    expect((await c.domainListAllSnapshots(dom, 0)).map(({ name }) => name).toSorted()).toEqual(['s1', 's2'])
    expect(await c.domainSnapshotListAllChildren(first, 0)).toEqual([second])
    expect(await c.domainSnapshotGetParent(second)).toEqual(first)
    expect(await failure(c.domainSnapshotGetParent(first))).toMatchObject({ code: ErrorNumber.NO_DOMAIN_SNAPSHOT })
    expect(await c.domainSnapshotCurrent(dom)).toEqual(second)
    expect([await c.domainSnapshotIsCurrent(first), await c.domainSnapshotIsCurrent(second), await c.domainSnapshotHasMetadata(first)]).toEqual([false, true, true])
    expect(await c.domainSnapshotGetXMLDesc(first, 0)).toContain('<name>s1</name>')
    await c.domainRevertToSnapshot(first, 0)
    expect(await c.domainSnapshotCurrent(dom)).toMatchObject({ name: 's1' })
    for (const { name } of [second, first]) await c.domainSnapshotDelete(await c.domainSnapshotLookupByName(dom, name), 0)
    expect(isAbsent(await failure(c.domainSnapshotLookupByName(dom, 's1')), 'snapshot')).toBe(true)
    expect(await c.domainListAllCheckpoints(dom, 0)).toEqual([])
  })

  test('its memory goes to a file and comes back', async () => {
    const saved = await c.domainLookupByName('calls')
    await c.domainManagedSave(saved, 0)
    expect(await c.domainHasManagedSaveImage(saved)).toBe(true)
    await c.domainCreateWithFlags(saved, 0)
    await c.domainSaveFlags(saved, '/run/saved', null, 0)
    expect(await c.domainSaveImageGetXMLDesc('/run/saved', 0)).toContain('<name>calls</name>')
    await c.domainRestoreFlags('/run/saved', null, 0)
    const running = await c.domainLookupByName('calls')
    expect(running.id).toBeGreaterThan(0)
    await c.domainCoreDumpWithFormat(running, '/run/dumped', 0, 0)
    await c.domainSendKey(running, 0, 10, [28])
    await c.domainInjectNMI(running)
    expect(await failure(c.domainRename(running, 'renamed'))).toMatchObject({ code: ErrorNumber.OPERATION_INVALID })
    await c.domainDestroyFlags(running, 0)
    await c.domainRename(running, 'renamed')
    expect((await c.domainLookupByUUID(running.uuid)).name).toBe('renamed')
  })
})

describe('the other kinds', () => {
  test('networks: transient, validated, their bridges', async () => {
    const net = await c.networkCreateXMLFlags(`<network><name>transient</name><bridge name='virt7'/></network>`, 0)
    expect([await c.networkIsPersistent(net), await c.networkGetBridgeName(net)]).toEqual([false, 'virt7'])
    await c.networkDestroy(net)
    expect(await c.networkIsPersistent(await c.networkDefineXMLFlags('<network><name>defined</name></network>', 1))).toBe(true)
    expect(await failure(c.networkDefineXMLFlags('<network><nonsense/></network>', 1))).toMatchObject({ name: 'LibvirtError' })
    expect(await failure(c.networkListAllPorts(net))).toBeInstanceOf(Unsupported)
  })

  test('pools: transient, found by their volumes', async () => {
    const pool = await c.storagePoolCreateXML(`<pool type='dir'><name>transient</name><target><path>/transient</path></target></pool>`, 0)
    expect(await c.storagePoolIsPersistent(pool)).toBe(false)
    const vol = await c.storageVolCreateXML(pool, '<volume><name>v</name><capacity>1048576</capacity></volume>', 0)
    expect(await c.storagePoolLookupByVolume(vol)).toEqual(pool)
    await c.storagePoolDestroy(pool)
  })

  test('network interfaces of the host, with a change that is taken back', async () => {
    const [iface] = await c.connectListAllInterfaces()
    expect(iface).toEqual({ name: 'eth1', mac: 'aa:bb:cc:dd:ee:ff' })
    expect(await c.interfaceLookupByName('eth1')).toEqual(iface)
    expect(await c.interfaceLookupByMACString(iface!.mac)).toEqual(iface)
    expect(await c.interfaceGetXMLDesc(iface!, 0)).toContain(`<mtu size='1492'/>`)
    await c.interfaceChangeBegin()
    await c.interfaceDestroy(iface!)
    expect(await c.interfaceIsActive(iface!)).toBe(false)
    await c.interfaceCreate(iface!)
    await c.interfaceDefineXML(`<interface type='ethernet' name='eth7'><start mode='none'/><mac address='aa:bb:cc:dd:ee:f7'/></interface>`, 0)
    await c.interfaceChangeRollback()
    expect(await failure(c.interfaceLookupByName('eth7'))).toMatchObject({ code: ErrorNumber.NO_INTERFACE })
    await c.interfaceChangeBegin()
    await c.interfaceChangeCommit()
  })

  test('node devices', async () => {
    expect(await c.connectListAllNodeDevices()).toContainEqual({ name: 'scsi_host1' })
    const dev = await c.nodeDeviceLookupByName('scsi_host2')
    expect(await c.nodeDeviceGetParent(dev)).toBe('computer')
    expect(await c.nodeDeviceGetParent({ name: 'computer' })).toBeNull()
    expect(await c.nodeDeviceListCaps(dev)).toContain('scsi_host')
    expect(await c.nodeDeviceGetXMLDesc(dev)).toContain('<wwnn>2000000056785678</wwnn>')
    expect(await failure(c.nodeDeviceLookupSCSIHostByWWN('2000000056785678', '1000000056785678'))).toBeInstanceOf(Unsupported)
    const made = await c.nodeDeviceCreateXML(`<device><name>x</name><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>2000000012341234</wwnn><wwpn>1000000012341234</wwpn></capability></capability></device>`, 0)
    await c.nodeDeviceDestroy(made)
    expect(isAbsent(await failure(c.nodeDeviceLookupByName(made.name)), 'nodeDevice')).toBe(true)
  })
})
