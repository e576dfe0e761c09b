// Updates on real parts: what a running guest takes at once, what waits for its next cold start, and what is none of our business.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openGuestConsole } from '../support/console.ts'
import type { GuestConsole } from '../support/console.ts'
import { buildGuestImage } from '../support/guest.ts'
import { until } from '../support/until.ts'
import { annotate, booting, countEvents, domain, hypervisor, idle, inactiveXml, isTrue, liveXml, noDevices, object, patchSpec, powerOf, provideKernel, ready } from './support/domains.ts'
import { Stage, condition, serveFiles } from './support/stage.ts'
import type { AnyObject } from './support/stage.ts'

type Json = Record<string, unknown>

const secret = (name: string, data: Record<string, string>): string => `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data })}\n`
const pendingOf = (found: AnyObject): string[] => ((found.status?.pendingChanges ?? []) as { path: string }[]).map(change => change.path).toSorted()
/** A document without our own record, which names what was rendered last. */
const withoutRecord = (xml: string): string => xml.replace(/\s*<vireo:owner[\s\S]*?<\/vireo:owner>/, '')

describe('updates of a domain', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start()
    await provideKernel(stage)
    await stage.host.execOk(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
    await stage.startController()
    await stage.apply([
      hypervisor({ rawXML: 'Allowed', hostInterfaces: ['br0'], networkHosts: ['127.0.0.1:4555'] }),
      object('StoragePool', { name: 'images' }, { dir: { path: '/var/lib/vireo/images' } }),
      object('StorageVolume', { name: 'data' }, { poolRef: { name: 'images' }, capacity: '4Mi', format: 'raw' }),
      ...['one', 'two'].map(name => object('StorageVolume', { name }, { poolRef: { name: 'images' }, capacity: '2Mi', format: 'raw' })),
      object('VirtualNetwork', { name: 'lab' }, { ipv4: { address: '192.168.150.1/24', dhcp: {} } }),
      object('VirtualNetwork', { name: 'other' }, { ipv4: { address: '192.168.151.1/24', dhcp: {} } }),
    ].join(''))
    for (const name of ['data', 'one', 'two']) await stage.untilReady('storagevolume', name)
    for (const name of ['lab', 'other']) await stage.untilReady('virtualnetwork', name)
  })
  afterAll(async () => { await stage?.stop() })

  const ends = async (name: string, timeoutMs = 60_000): Promise<AnyObject> => await stage.untilReady('virtualdomain', name, { timeoutMs })
  const look = async (name: string, test: (found: AnyObject) => unknown, timeoutMs?: number): Promise<AnyObject> => await stage.until('virtualdomain', name, test, { timeoutMs })
  const settled = (found: AnyObject): boolean => found.status?.observedGeneration === found.metadata.generation
  const change = async (name: string, spec: Json): Promise<AnyObject> => { await patchSpec(stage, name, spec); return await ends(name) }
  const create = async (name: string, spec: Json): Promise<AnyObject> => { await stage.apply(domain(name, spec)); return await ends(name) }
  const remove = async (name: string): Promise<void> => { await stage.kubectl(['delete', 'virtualdomain', name, '--timeout=100s']) }
  /** Has the host read anew, for what has no event. */
  const reread = async (name: string): Promise<void> => { await annotate(stage, name, { 'vireo.dev/reconcile': String(Math.random()) }) }
  const media = async (name: string): Promise<string> => await stage.virsh('domblklist', name)

  describe('of a guest that runs', () => {
    let console_: GuestConsole
    let id: number
    let booted: string
    const cdrom = (source: Json = {}): Json => ({ name: 'cd', device: 'cdrom', ...source })
    const web: Json = {
      ...booting(),
      shutdown: { gracePeriod: '15s' },
      os: { ...(booting().os as Json), machine: 'q35' },
      maxCpus: 2,
      maxMemory: '256Mi',
      disks: [cdrom()],
      interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }],
      graphics: [{ name: 'main', vnc: { listen: '127.0.0.1', passwordSecretRef: { name: 'web-vnc', key: 'password' } } }],
      cloudInit: { poolRef: { name: 'images' }, userData: { secretRef: { name: 'web-seed', key: 'user-data' } } },
    }

    beforeAll(async () => {
      await stage.apply(secret('web-vnc', { password: 'first-pw' }) + secret('web-seed', { 'user-data': '#cloud-config\n{"marker": "first"}\n' }))
      await stage.apply(domain('web', web))
      await look('web', found => found.status?.powerState === 'Running')
      console_ = await openGuestConsole(stage.host, 'web')
      await console_.waitFor(/vireo-guest: ready/, 120_000)
      const found = await ends('web')
      id = found.status!.id as number
      booted = (await stage.host.execOk(['sh', '-c', 'stat -c %Y /proc/$(cat /run/libvirt/qemu/web.pid)'])).trim()
    })
    afterAll(async () => { await console_?.close() })

    test('title, description and autostart, set and taken away', async () => {
      await change('web', { title: 'Web <shop>', description: 'front', autostart: 'Enabled' })
      for (const xml of [await liveXml(stage, 'web'), await inactiveXml(stage, 'web')]) expect(xml).toMatch(/<title>Web &lt;shop&gt;<\/title>[\s\S]*<description>front</)
      expect(await stage.virsh('dominfo', 'web')).toMatch(/Autostart:\s+enable/)
      await change('web', { title: null, description: null, autostart: null })
      for (const xml of [await liveXml(stage, 'web'), await inactiveXml(stage, 'web')]) expect(withoutRecord(xml)).not.toMatch(/<title>|<description>/)
      expect(await stage.virsh('dominfo', 'web')).toMatch(/Autostart:\s+disable/)
    })

    test('what the host does when the guest ends', async () => {
      const says = async (...texts: string[]): Promise<void> => { const live = await liveXml(stage, 'web'); for (const text of texts) expect(live).toContain(text) }
      await change('web', { lifecycle: { onReboot: 'destroy', onCrash: 'preserve' } })
      await says('<on_reboot>destroy<', '<on_crash>preserve<')
      await change('web', { lifecycle: { onReboot: null, onCrash: 'restart', onPoweroff: 'restart' } })
      await says('<on_reboot>restart<', '<on_crash>restart<', '<on_poweroff>restart<')
      const found = await change('web', { lifecycle: null })
      await says('<on_poweroff>destroy<', '<on_reboot>restart<', '<on_crash>destroy<')
      expect(pendingOf(found)).toEqual([])
    })

    test('the link, and the network or bridge behind it', async () => {
      const before = await look('web', object => object.status?.address)
      const mac = before.status!.interfaces[0].mac as string
      await change('web', { interfaces: [{ name: 'lan', networkRef: { name: 'lab' }, linkState: 'down' }] })
      expect(await stage.virsh('domif-getlink', 'web', mac)).toMatch(/down/)
      expect((await stage.get('virtualdomain', 'web'))!.status!.interfaces).toMatchObject([{ name: 'lan', linkState: 'down' }])
      await change('web', { interfaces: [{ name: 'lan', networkRef: { name: 'other' } }] })
      expect(await stage.virsh('domif-getlink', 'web', mac)).toMatch(/up/)
      expect(await stage.virsh('domiflist', 'web')).toMatch(new RegExp(`network\\s+other\\s+virtio\\s+${mac}`))
      await change('web', { interfaces: [{ name: 'lan', bridge: { name: 'br0' } }] })
      expect(await stage.virsh('domiflist', 'web')).toMatch(new RegExp(`bridge\\s+br0\\s+virtio\\s+${mac}`))
      const found = await change('web', { interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }] })
      expect(await stage.virsh('domiflist', 'web')).toMatch(new RegExp(`network\\s+lab\\s+virtio\\s+${mac}`))
      expect(pendingOf(found)).toEqual([])
    })

    test('a medium inserted, changed and ejected', async () => {
      await change('web', { disks: [cdrom({ volumeRef: { name: 'one' } })] })
      expect(await media('web')).toMatch(/sd\w\s+\/var\/lib\/vireo\/images\/one/)
      await change('web', { disks: [cdrom({ volumeRef: { name: 'two' } })] })
      expect(await media('web')).toMatch(/sd\w\s+\/var\/lib\/vireo\/images\/two/)
      const found = await change('web', { disks: [cdrom()] })
      expect(await media('web')).not.toMatch(/images\/(one|two)/)
      expect(await inactiveXml(stage, 'web')).not.toMatch(/source file='[^']*images\/(one|two)'/)
      expect(pendingOf(found)).toEqual([])
    })

    test('disks and interfaces come and go', async () => {
      const mark = console_.text().length
      const disks = [cdrom(), { name: 'data', volumeRef: { name: 'data' } }, { name: 'more', volumeRef: { name: 'one' } }]
      const interfaces = [{ name: 'lan', networkRef: { name: 'lab' } }, { name: 'mgmt', networkRef: { name: 'other' } }]
      const found = await change('web', { disks, interfaces })
      expect(pendingOf(found)).toEqual([])
      expect(found.status!.disks.map((disk: { name: string }) => disk.name)).toEqual(['cd', 'data', 'more'])
      // Which of two disks that come at once is vda is for the guest's kernel to say.
      const seen = (): string => console_.text().slice(mark)
      await until('the guest saw them', () => [/add block vda/, /add block vdb/, /add block vd[ab] 4194304/, /add net eth1/].every(line => line.test(seen())))
      await look('web', object => object.status?.interfaces?.[1]?.addresses?.[0]?.address?.startsWith('192.168.151.'))
      const gone = await change('web', { disks: [cdrom()], interfaces: interfaces.slice(0, 1) })
      await until('the guest let go', () => /remove block/.test(seen()) && /remove net eth1/.test(seen()))
      expect(gone.status!.disks.map((disk: { name: string }) => disk.name)).toEqual(['cd'])
      expect([gone.status!.interfaces.length, pendingOf(gone)]).toEqual([1, []])
      expect(await media('web')).not.toMatch(/vd[ab]/)
    })

    test('a tray is added and taken away by a cold start only', async () => {
      const found = await change('web', { disks: [cdrom(), { name: 'second', device: 'cdrom' }] })
      expect(pendingOf(found)).toEqual(['disks[second]'])
      expect(condition(found, 'RestartRequired')?.message).toMatch(/disks\[second\]/)
      const back = await change('web', { disks: [cdrom()] })
      expect(pendingOf(back)).toEqual([])
    })

    test("the display's password, when its Secret changes", async () => {
      expect(await liveXml(stage, 'web')).toMatch(/passwd='first-pw'/)
      await stage.apply(secret('web-vnc', { password: 'other-pw' }))
      await until('the guest has the new password', async () => /passwd='other-pw'/.test(await liveXml(stage, 'web')) && /passwd='other-pw'/.test(await inactiveXml(stage, 'web')))
      const told = `${await stage.kubectl(['get', 'virtualdomain', 'web', '-o', 'yaml'])}${await stage.kubectl(['get', 'events', '-A', '-o', 'yaml'])}${stage.controllerLog}`
      expect(told).not.toMatch(/first-pw|other-pw/)
      expect(await stage.virsh('dumpxml', 'web')).not.toMatch(/first-pw|other-pw/)
    })

    test('the cloud-init seed, by a new medium; the old one goes', async () => {
      const seeds = async (): Promise<string[]> => [...(await stage.host.execOk(['ls', '/var/lib/vireo/images'])).matchAll(/vireo-\S+\.iso/g)].map(([name]) => name)
      const [first] = await seeds()
      expect(await media('web')).toContain(first)
      await stage.apply(secret('web-seed', { 'user-data': '#cloud-config\n{"marker": "second"}\n' }))
      const now = await until('the seed is another one', async () => { const list = await seeds(); return list.length === 1 && list[0] !== first ? list[0] : undefined })
      expect(await media('web')).toContain(now)
      expect(await stage.host.execOk(['cat', `/var/lib/vireo/images/${now}`])).toContain('second')
      expect(pendingOf(await ends('web'))).toEqual([])
    })

    test('memory and CPUs within their maxima', async () => {
      await patchSpec(stage, 'web', { memory: '160Mi', cpus: 2 })
      const found = await look('web', object => object.status?.memory === '160Mi' && object.status.cpus === 2 && settled(object))
      expect(pendingOf(found)).toEqual([])
      expect(isTrue(found, 'RestartRequired')).toBe(false)
      expect(await stage.virsh('vcpucount', 'web', '--live', '--active')).toMatch(/^2/)
      await console_.waitFor(/add cpu cpu1/)
      // Somebody else's balloon is drift.
      const corrected = (): number => stage.controllerLog.split('to 160Mi while the guest runs').length
      const before = corrected()
      await stage.virsh('setmem', 'web', '128M', '--live')
      await until('the memory is asked for again', () => corrected() > before)
      await look('web', object => object.status?.memory === '160Mi')
    })

    test('a CPU that the guest cannot give back is staged, and no longer once it is wanted again', async () => {
      await patchSpec(stage, 'web', { cpus: 1 })
      const staged = await look('web', object => settled(object) && isTrue(object, 'RestartRequired'))
      expect(pendingOf(staged)).toEqual(['cpus'])
      await change('web', { cpus: 2 })
      await look('web', object => pendingOf(object).length === 0 && !isTrue(object, 'RestartRequired'))
    })

    test('above the maxima: staged, and named', async () => {
      const found = await change('web', { memory: '300Mi', maxMemory: '384Mi', cpus: 3, maxCpus: 4 })
      expect(pendingOf(found)).toEqual(['cpus', 'maxCpus', 'maxMemory', 'memory'])
      expect(found.status!.pendingChanges).toContainEqual({ path: 'maxMemory', current: '256Mi', desired: '384Mi', apply: 'ColdStart' })
      const why = condition(found, 'RestartRequired')!.message
      for (const field of ['cpus', 'maxCpus', 'maxMemory', 'memory']) expect(why).toContain(field)
      expect(found.status).toMatchObject({ memory: '160Mi', cpus: 2 })
    })

    test('none of it restarted the guest', async () => {
      expect((await stage.get('virtualdomain', 'web'))!.status!.id).toBe(id)
      expect((await stage.host.execOk(['sh', '-c', 'stat -c %Y /proc/$(cat /run/libvirt/qemu/web.pid)'])).trim()).toBe(booted)
      expect(console_.text().match(/vireo-guest: ready/g)).toHaveLength(1)
    })

    test('a cold start takes what is staged', async () => {
      await annotate(stage, 'web', { 'vireo.dev/restart': '1' })
      const found = await look('web', object => (object.status?.id as number) > id && ready(object).status === 'True' && object.status?.pendingChanges === undefined, 120_000)
      expect(isTrue(found, 'RestartRequired')).toBe(false)
      expect(found.status).toMatchObject({ cpus: 3 })
      expect(await stage.virsh('vcpucount', 'web', '--live', '--maximum')).toMatch(/^4/)
      expect(await liveXml(stage, 'web')).toMatch(/<memory unit='KiB'>393216</)
      await stage.kubectl(['delete', 'virtualdomain', 'web', '--wait=false'])
    })
  })

  test('a guest tells its name, its system and its addresses by its agent; without one, ARP is asked for the address on a bridge', async () => {
    await stage.host.execOk(['sh', '-c', 'ip addr add 10.77.0.1/24 dev br0 && ip link set br0 up'])
    const spec = booting('', 'vireo-static=eth1:10.77.0.2/24,10.77.0.1')
    const { kernelBoot } = spec.os as { kernelBoot: Json }
    await stage.apply(domain('teller', {
      ...spec, memory: '192Mi', defaultDevices: { rng: 'Disabled' }, os: { machine: 'pc', kernelBoot: { ...kernelBoot, initrd: { path: '/var/lib/vireo/initrd-agent' } } },
      interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }, { name: 'mgmt', bridge: { name: 'br0' } }],
    }))
    const sources = (found: AnyObject): string => JSON.stringify((found.status?.interfaces as { addresses?: { address: string; prefix?: number; source: string }[] }[] | undefined)?.map(nic => nic.addresses?.filter(({ address }) => address.includes('.')).map(({ address, prefix, source }) => `${source} ${address.split('.', 3).join('.')}/${prefix}`)))
    const found = await look('teller', object => sources(object) === '[["Lease 192.168.150/24"],["Agent 10.77.0/24"]]' && object.status?.guestAgent?.os, 120_000)
    expect(found.status!.guestAgent).toEqual({ connected: true, hostname: 'guest', os: 'vireo test guest 1 (busybox)' })
    expect(isTrue(found, 'AgentConnected')).toBe(true)
    expect(found.status!.address).toMatch(/^192\.168\.150\./)
    await patchSpec(stage, 'teller', { defaultDevices: { rng: 'Disabled', guestAgent: 'Disabled' } })
    // libvirt 9.0 cannot read the ARP table of newer kernels: what it tells virsh is what there is to tell.
    const { stdout } = await stage.host.exec(['virsh', 'domifaddr', 'teller', '--source', 'arp'])
    const less = await look('teller', object => sources(object) === `[["Lease 192.168.150/24"],${stdout.includes('10.77.0.2') ? '["ARP 10.77.0/undefined"]' : 'null'}]`)
    expect(less.status!.guestAgent).toBeUndefined()
    await remove('teller')
  })

  test('a deaf guest keeps a device that it should let go of: the entry stays, and it is asked again', async () => {
    await create('deaf', { ...idle, os: { machine: 'q35' }, disks: [{ name: 'held', volumeRef: { name: 'two' } }] })
    await patchSpec(stage, 'deaf', { disks: [] })
    const waiting = await look('deaf', object => settled(object) && /let go of disks\[held\]/.test(ready(object).message))
    expect(ready(waiting)).toMatchObject({ status: 'False', reason: 'Updating' })
    expect(waiting.status!.disks).toMatchObject([{ name: 'held', target: 'vda' }])
    const again = await look('deaf', object => /asked 2 times/.test(ready(object).message))
    expect(again.status!.disks).toHaveLength(1)
    expect(await media('deaf')).toMatch(/vda/)
    await annotate(stage, 'deaf', { 'vireo.dev/restart': '1' })
    const found = await ends('deaf')
    expect(found.status!.disks).toBeUndefined()
    await remove('deaf')
  })

  test('a maximum that nobody set follows its value without a restart being asked for', async () => {
    await create('plain', { ...idle, memory: '64Mi', defaultDevices: { ...noDevices, memballoon: 'Enabled' } })
    const found = await change('plain', { memory: '48Mi' })
    expect(pendingOf(found)).toEqual(['maxMemory'])
    expect(isTrue(found, 'RestartRequired')).toBe(false)
    const more = await change('plain', { memory: '96Mi', cpus: 2 })
    expect(pendingOf(more)).toEqual(['cpus', 'maxCpus', 'maxMemory', 'memory'])
    expect(isTrue(more, 'RestartRequired')).toBe(true)
    await remove('plain')
  })

  describe('a redefinition', () => {
    test('changes nothing that it was not asked to change', async () => {
      await stage.apply(secret('kept-vnc', { password: 'kept-pw' }))
      await stage.host.execOk(['sh', '-c', 'truncate -s 1M /var/lib/vireo/byhand.raw'])
      await create('kept', { ...idle, disks: [{ name: 'root', volumeRef: { name: 'data' } }], interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }, { name: 'second', networkRef: { name: 'lab' } }], graphics: [{ name: 'main', vnc: { passwordSecretRef: { name: 'kept-vnc', key: 'password' } } }] })
      const add = async (xml: string): Promise<void> => { await stage.host.execOk(['virsh', '-c', 'qemu:///system', 'attach-device', 'kept', '/dev/stdin', '--config'], { input: xml }) }
      await add("<watchdog model='i6300esb' action='pause'/>")
      await add("<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/var/lib/vireo/byhand.raw'/><target dev='vdc' bus='virtio'/></disk>")
      await add("<interface type='network'><mac address='52:54:00:11:22:33'/><source network='lab'/><model type='e1000'/></interface>")
      await stage.virsh('metadata', 'kept', '--config', '--uri', 'http://example.org/app', '--key', 'app', '--set', '<owner team="a">x</owner>')
      await stage.virsh('blkdeviotune', 'kept', 'vda', '--config', '--total-iops-sec', '700')
      await reread('kept')
      await ends('kept')
      const before = await inactiveXml(stage, 'kept')
      for (const part of ["passwd='kept-pw'", 'i6300esb', 'byhand.raw', '52:54:00:11:22:33', 'http://example.org/app', '<total_iops_sec>700<']) expect(before).toContain(part)
      const id = (await stage.get('virtualdomain', 'kept'))!.status!.id
      await change('kept', { title: 'Another' })
      const after = await inactiveXml(stage, 'kept')
      expect(after).toContain('<title>Another</title>')
      expect(withoutRecord(after.replace(/\s*<title>Another<\/title>/, ''))).toBe(withoutRecord(before))
      expect((await stage.get('virtualdomain', 'kept'))!.status!.id).toBe(id)
      await remove('kept')
    })

    test('is not repeated for a value that the host spells otherwise, also by the next controller', async () => {
      const xml = "<vcpu cpuset='1,0'/><clock offset='localtime'/><features><pae/></features><memoryBacking><nosharepages/></memoryBacking>"
        + "<devices><watchdog model='i6300esb' action='none'/><input type='tablet' bus='usb'/><controller type='scsi' model='virtio-scsi'/></devices>"
      await create('overlaid', { ...idle, xml, disks: [{ name: 'root', volumeRef: { name: 'one' }, xml: "<driver cache='unsafe'/>" }] })
      const made = await inactiveXml(stage, 'overlaid')
      // Attributes overwrite, singletons merge, devices append.
      for (const pattern of [/cpuset='0-1'/, /<clock offset='localtime'/, /<acpi\/>[\s\S]*<pae\/>/, /<nosharepages\/>/, /i6300esb/, /tablet/, /virtio-scsi/, /cache='unsafe'/]) expect(made).toMatch(pattern)
      const count = await countEvents(stage, 'overlaid', 'Defined')
      expect(count).toBeLessThanOrEqual(2)
      await reread('overlaid')
      await stage.stopController()
      await stage.startController()
      await reread('overlaid')
      const found = await change('overlaid', { restartPolicy: 'Never' })
      expect(await countEvents(stage, 'overlaid', 'Defined')).toBe(count)
      expect(await inactiveXml(stage, 'overlaid')).toBe(made)
      expect(pendingOf(found)).toEqual([])
      // Under Report, the host's spelling is no drift either; and what the overlay lets go of, goes.
      const reported = await change('overlaid', { driftPolicy: { action: 'Report' } })
      expect(isTrue(reported, 'DriftDetected')).toBe(false)
      await change('overlaid', { xml: "<vcpu cpuset='1'/>" })
      const rest = await inactiveXml(stage, 'overlaid')
      expect(rest).toMatch(/cpuset='1'/)
      expect(withoutRecord(rest)).not.toMatch(/i6300esb|tablet|virtio-scsi|nosharepages/)
      await remove('overlaid')
    })
  })

  test.each([
    ['a name', '<name>other</name>', /may not set <name>/],
    ['a UUID', '<uuid>6f1c2d3e-0000-5000-8000-000000000001</uuid>', /may not set <uuid>/],
    ['metadata', "<metadata><v:owner xmlns:v='https://vireo.dev/xmlns/1' installation='x'/></metadata>", /may not set <metadata>/],
    ['no XML', '<title>a</b>', /not well-formed XML/],
  ])('an overlay with %s is refused', async (_what, xml, message) => {
    await stage.apply(domain('refused', { ...idle, xml }))
    const reason = await stage.untilReason('virtualdomain', 'refused', 'Invalid')
    expect(reason.message).toMatch(message)
    expect(await stage.virsh('list', '--all', '--name')).not.toMatch(/refused/)
    await remove('refused')
  })

  describe('a change by hand', () => {
    const redefine = async (name: string, from: RegExp, to: string): Promise<void> => {
      const xml = await inactiveXml(stage, name)
      expect(xml).toMatch(from)
      await stage.host.execOk(['virsh', '-c', 'qemu:///system', 'define', '/dev/stdin'], { input: xml.replace(from, to) })
    }
    const spec = { ...idle, title: 'ours', interfaces: [{ name: 'lan', networkRef: { name: 'lab' }, model: 'virtio' }] }

    test('is taken back by event under Correct', async () => {
      await create('drifts', spec)
      await redefine('drifts', /<title>ours</, '<title>theirs<')
      await until('the title is ours again', async () => /<title>ours</.test(withoutRecord(await inactiveXml(stage, 'drifts'))))
      // This one has no event.
      await stage.virsh('setmem', 'drifts', '16M', '--config')
      await reread('drifts')
      await until('the memory is ours again', async () => /<currentMemory unit='KiB'>32768</.test(withoutRecord(await inactiveXml(stage, 'drifts'))))
      const found = await ends('drifts')
      expect(found.status!.drift).toBeUndefined()
    })

    test('is listed and left under Report, until it is gone', async () => {
      await change('drifts', { driftPolicy: { action: 'Report' } })
      await redefine('drifts', /<title>ours</, '<title>theirs<')
      await stage.virsh('setmem', 'drifts', '16M', '--config')
      const mac = (await stage.get('virtualdomain', 'drifts'))!.status!.interfaces[0].mac as string
      await stage.virsh('domif-setlink', 'drifts', mac, 'down')
      await reread('drifts')
      const found = await look('drifts', object => ((object.status?.drift ?? []) as unknown[]).length === 3)
      expect(found.status!.drift.map(({ since: _since, ...entry }: { since: string }) => entry).toSorted((a: { path: string }, b: { path: string }) => a.path.localeCompare(b.path))).toEqual([
        { path: 'interfaces[lan].linkState', expected: 'up', found: 'down' },
        { path: 'memory', expected: '32Mi', found: '16Mi' },
        { path: 'title', expected: 'ours', found: 'theirs' },
      ])
      expect(isTrue(found, 'DriftDetected')).toBe(true)
      expect(condition(found, 'Synced')).toMatchObject({ status: 'False', reason: 'Drifted' })
      expect(ready(found).status).toBe('True')
      // What is asked for meanwhile is done, and leaves the drift.
      await change('drifts', { description: 'new' })
      const xml = withoutRecord(await inactiveXml(stage, 'drifts'))
      expect(xml).toMatch(/<title>theirs<[\s\S]*<description>new</)
      await stage.virsh('domif-setlink', 'drifts', mac, 'up')
      await stage.virsh('setmem', 'drifts', '32M', '--config')
      await redefine('drifts', /<title>theirs</, '<title>ours<')
      await reread('drifts')
      const clear = await look('drifts', object => object.status?.drift === undefined)
      expect(isTrue(clear, 'DriftDetected')).toBe(false)
      expect(condition(clear, 'Synced')?.status).toBe('True')
    })

    test('is neither listed nor taken back under Ignore, and taken back once Correct is said', async () => {
      await change('drifts', { driftPolicy: { action: 'Ignore' } })
      await redefine('drifts', /<title>ours</, '<title>theirs<')
      await reread('drifts')
      const found = await change('drifts', { description: 'newer' })
      expect(found.status!.drift).toBeUndefined()
      expect(await inactiveXml(stage, 'drifts')).toMatch(/<title>theirs</)
      await change('drifts', { driftPolicy: { action: 'Correct' } })
      expect(withoutRecord(await inactiveXml(stage, 'drifts'))).toMatch(/<title>ours</)
      await remove('drifts')
    })
  })

  describe('updatePolicy.restart', () => {
    test('WhenRequired restarts the guest for what is staged, and asks it first', async () => {
      const before = await create('willing', { ...idle, updatePolicy: { restart: 'WhenRequired' } })
      await patchSpec(stage, 'willing', { memory: '48Mi' })
      const found = await look('willing', object => (object.status?.id as number) > (before.status!.id as number) && ready(object).status === 'True' && settled(object))
      expect(found.status!.memory).toBe('48Mi')
      expect(pendingOf(found)).toEqual([])
      expect(await countEvents(stage, 'willing', 'ShutdownRequested', /updatePolicy\.restart: WhenRequired/)).toBe(1)
      await remove('willing')
    })

    test("OnGuestReboot makes the guest's next reboot the cold start", async () => {
      await stage.apply(domain('reboots', { ...booting('reboot'), updatePolicy: { restart: 'OnGuestReboot' } }))
      const before = await look('reboots', object => object.status?.powerState === 'Running')
      const calm = booting()
      await patchSpec(stage, 'reboots', { os: calm.os })
      const found = await look('reboots', object => (object.status?.id as number) > (before.status!.id as number) && ready(object).status === 'True' && object.status?.pendingChanges === undefined, 120_000)
      expect(isTrue(found, 'RestartRequired')).toBe(false)
      expect(await countEvents(stage, 'reboots', 'ShutdownRequested')).toBe(0)
      expect(await liveXml(stage, 'reboots')).toMatch(/<on_reboot>restart</)
      await stage.kubectl(['delete', 'virtualdomain', 'reboots', '--wait=false'])
    })

    test('taken back before the guest reboots, nothing happens to it', async () => {
      const before = await create('calm', { ...idle, updatePolicy: { restart: 'OnGuestReboot' } })
      await change('calm', { memory: '48Mi' })
      await until('the reboot is armed', async () => /<on_reboot>destroy</.test(await liveXml(stage, 'calm')))
      const found = await change('calm', { memory: '32Mi' })
      expect(await liveXml(stage, 'calm')).toMatch(/<on_reboot>restart</)
      expect(pendingOf(found)).toEqual([])
      expect(found.status!.id).toBe(before.status!.id)
      await remove('calm')
    })
  })

  describe('devices and machines', () => {
    test.each(['pc', 'q35'])('machine %s, pinned by the host', async machine => {
      const found = await create(`machine-${machine}`, { ...idle, os: { machine } })
      expect(found.status!.machine).toMatch(machine === 'pc' ? /^pc-i440fx-/ : /^pc-q35-/)
      await remove(`machine-${machine}`)
    })

    test('serial ports of each type', async () => {
      const found = await create('serials', { ...idle, serials: [
        { name: 'a', pty: {}, log: { file: '/var/lib/vireo/serial.log' } },
        { name: 'b', unix: { path: '/var/lib/vireo/serial.sock' } },
        { name: 'c', tcp: { host: '127.0.0.1', port: 4555 } },
        { name: 'd', file: { path: '/var/lib/vireo/serial.txt' } },
      ] })
      const consoles = found.status!.consoles as { type: string; path?: string }[]
      expect(consoles.map(entry => entry.type)).toEqual(['pty', 'unix', 'tcp', 'file'])
      expect(consoles[0]?.path).toMatch(/^\/dev\/pts\//)
      await stage.host.execOk(['sh', '-c', 'test -S /var/lib/vireo/serial.sock && test -f /var/lib/vireo/serial.txt && test -f /var/lib/vireo/serial.log'])
      expect(await countEvents(stage, 'serials', 'Defined')).toBe(1)
      await remove('serials')
    })

    test('default devices, all there or all left out', async () => {
      const { defaultDevices: _none, ...bare } = idle
      await create('full', { ...bare, os: { machine: 'q35' } })
      expect(withoutRecord(await inactiveXml(stage, 'full'))).toMatch(/<serial type='pty'[\s\S]*org\.qemu\.guest_agent\.0[\s\S]*<memballoon model='virtio'[\s\S]*<rng model='virtio'/)
      await create('bare', idle)
      expect(withoutRecord(await inactiveXml(stage, 'bare'))).not.toMatch(/<serial|<channel|<rng|<memballoon model='virtio'/)
      await remove('full')
      await remove('bare')
    })

    test('a display with a chosen card, and an emulated TPM', async () => {
      // The authority of the TPMs keeps its state where Debian's package makes a folder for it.
      await stage.host.execOk(['sh', '-c', 'mkdir -p /var/lib/swtpm-localca && chown tss /var/lib/swtpm-localca'])
      const found = await create('shown', { ...idle, graphics: [{ name: 'main', vnc: {} }], video: { model: 'vga', heads: 1 }, tpm: { model: 'tpm-tis', version: '2.0' } })
      expect(found.status!.graphics).toMatchObject([{ name: 'main', listen: '127.0.0.1' }])
      expect(found.status!.graphics[0].port).toBeGreaterThanOrEqual(5900)
      expect(await liveXml(stage, 'shown')).toMatch(/<model type='vga'[\s\S]*<tpm model='tpm-tis'|<tpm model='tpm-tis'[\s\S]*<model type='vga'/)
      expect(await countEvents(stage, 'shown', 'Defined')).toBe(1)
      await remove('shown')
      expect(await stage.host.execOk(['sh', '-c', 'ls /var/lib/libvirt/swtpm 2>/dev/null || true'])).toBe('')
    })

    test('UEFI, and its variables gone with the domain', async () => {
      await create('uefi', { ...idle, os: { machine: 'q35', firmware: { uefi: { secureBoot: 'Disabled' } } } })
      const nvram = async (): Promise<string> => await stage.host.execOk(['sh', '-c', 'ls /var/lib/libvirt/qemu/nvram'])
      expect(await nvram()).toContain('uefi_VARS.fd')
      expect(await countEvents(stage, 'uefi', 'Defined')).toBe(1)
      await remove('uefi')
      expect(await nvram()).not.toContain('uefi_VARS.fd')
    })

    test('kernel and initrd from volumes', async () => {
      const image = await buildGuestImage()
      const server = await serveFiles({ '/kernel': image.kernel, '/initrd': image.initrd })
      try {
        const part = (name: string): string => object('StorageVolume', { name }, { poolRef: { name: 'images' }, format: 'raw', source: { url: { url: `${server.url}/${name}`, verification: 'None' } } })
        await stage.apply(part('kernel') + part('initrd'))
        const boots = booting()
        ;(boots.os as Json).kernelBoot = { kernel: { volumeRef: { name: 'kernel' } }, initrd: { volumeRef: { name: 'initrd' } }, cmdline: 'console=ttyS0' }
        await stage.apply(domain('direct', boots))
        await look('direct', object => object.status?.powerState === 'Running')
        await using screen = await openGuestConsole(stage.host, 'direct')
        await screen.waitFor(/vireo-guest: ready/, 120_000)
        expect(await powerOf(stage, 'direct')).toMatch(/^running/)
        await remove('direct')
      } finally {
        await server.close()
      }
    })
  })
})
