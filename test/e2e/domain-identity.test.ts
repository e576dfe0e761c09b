// Whose a domain is, on real parts: names and UUIDs, adoption, observation, release, a cluster made anew, and what is lost.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { annotate, countEvents, domain, hypervisor, idle, inactiveXml, isTrue, patch, patchSpec, powerOf, ready } from './support/domains.ts'
import { Stage, condition } from './support/stage.ts'
import type { AnyObject } from './support/stage.ts'

/** A domain that somebody else made: as `idle` renders one, but for what `change` does to it. */
const foreignXml = (name: string, change: (xml: string) => string = xml => xml): string => change(
  `<domain type='qemu'><name>${name}</name><memory unit='KiB'>32768</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/><boot dev='cdrom'/></os>`
  + "<features><acpi/><apic/></features><clock offset='utc'/><devices><memballoon model='none'/></devices></domain>")

describe('the identity of a domain', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start({ halting: true })
    await stage.startController()
    await stage.apply(hypervisor())
    await stage.untilReady('hypervisor', 'local')
  })
  afterAll(async () => { await stage?.stop() })

  const grant = async (foreignObjects: string): Promise<void> => { await stage.apply(hypervisor({ foreignObjects })) }
  const define = async (xml: string): Promise<void> => { await stage.host.execOk(['virsh', '-c', 'qemu:///system', 'define', '/dev/stdin'], { input: xml }) }
  const onHost = async (name: string): Promise<boolean> => (await stage.virsh('list', '--all', '--name')).split('\n').includes(name)
  const create = async (name: string, spec: Record<string, unknown>): Promise<AnyObject> => { await stage.apply(domain(name, spec)); return await stage.untilReady('virtualdomain', name) }
  const remove = async (name: string): Promise<void> => { await stage.kubectl(['delete', 'virtualdomain', name, '--timeout=60s']) }
  const ownerIn = (xml: string): Record<string, string> => Object.fromEntries([...(/<vireo:owner [^>]*>/.exec(xml)?.[0] ?? '').matchAll(/ ([a-z]+)="([^"]*)"| ([a-z]+)='([^']*)'/g)].map(match => [match[1] ?? match[3], match[2] ?? match[4]]))

  test('name and UUID are as the spec says, in whatever case, and stay', async () => {
    const uuid = randomUUID()
    const found = await create('named', { ...idle, name: 'quite-another', uuid: uuid.toUpperCase() })
    expect(found.status!.binding).toEqual({ hypervisor: 'local', name: 'quite-another', uuid, origin: 'Created' })
    expect((await stage.virsh('domuuid', 'quite-another')).trim()).toBe(uuid)
    await expect(patchSpec(stage, 'named', { name: 'third' })).rejects.toThrow(/quite-another/)
    await remove('named')
    expect(await onHost('quite-another')).toBe(false)
  })

  test('two namespaces may both say web', async () => {
    await stage.kubectl(['create', 'namespace', 'shop'])
    await create('web', idle)
    await stage.apply(domain('web', idle, { namespace: 'shop' }))
    const other = await stage.untilReady('virtualdomain', 'web', { namespace: 'shop' })
    expect(other.status!.binding.name).toBe('shop.web')
    expect(await onHost('web') && await onHost('shop.web')).toBe(true)
    const marks = await Promise.all(['web', 'shop.web'].map(async name => ownerIn(await inactiveXml(stage, name))))
    expect(marks.map(mark => `${mark.namespace}/${mark.name}`)).toEqual(['default/web', 'shop/web'])
    await stage.kubectl(['delete', 'virtualdomain', 'web', '-n', 'shop', '--timeout=60s'])
    expect(await onHost('shop.web')).toBe(false)
    await stage.untilReady('virtualdomain', 'web')
    await remove('web')
  })

  test('what others made is left untouched, adopted only with leave and as far as asked', async () => {
    await define(foreignXml('theirs', xml => xml.replace('32768', '49152')))
    await stage.virsh('start', 'theirs')
    const id = (await stage.virsh('domid', 'theirs')).trim()
    const before = await inactiveXml(stage, 'theirs')
    await stage.apply(domain('theirs', idle))
    const conflict = await stage.untilReason('virtualdomain', 'theirs', 'Conflict')
    expect(conflict.message).toMatch(/vireo did not create it.*adoptionPolicy.*spec\.name/)
    expect(isTrue((await stage.get('virtualdomain', 'theirs'))!, 'Stalled')).toBe(true)

    await patchSpec(stage, 'theirs', { adoptionPolicy: 'Always' })
    const forbidden = await stage.untilReason('virtualdomain', 'theirs', 'Forbidden')
    expect(forbidden.message).toMatch(/policy\.foreignObjects.*Adopt/)
    await grant('Observe')
    await patchSpec(stage, 'theirs', { title: 'unlike' })
    await stage.untilReason('virtualdomain', 'theirs', 'Forbidden')

    await patchSpec(stage, 'theirs', { adoptionPolicy: 'IfUnchanged', title: null })
    await grant('Adopt')
    const differs = await stage.until('virtualdomain', 'theirs', object => /differs from the spec/.test(ready(object).message))
    expect(ready(differs)).toMatchObject({ reason: 'Conflict' })
    expect(ready(differs).message).toMatch(/memory/)
    expect(differs.status!.binding).toBeUndefined()
    expect(await inactiveXml(stage, 'theirs')).toBe(before)

    await patchSpec(stage, 'theirs', { adoptionPolicy: 'Always' })
    const taken = await stage.untilReady('virtualdomain', 'theirs')
    expect(taken.status!.binding.origin).toBe('Adopted')
    expect(taken.status!.binding.uuid).toBe(/<uuid>(.*)<\/uuid>/.exec(before)![1])
    // The guest runs on as it was started: what differs waits.
    expect((await stage.virsh('domid', 'theirs')).trim()).toBe(id)
    expect(taken.status!.pendingChanges).toEqual(['maxMemory', 'memory'].map(path => ({ path, current: '48Mi', desired: '32Mi', apply: 'ColdStart' })))
    // Deleted, an adopted domain stays: it was there before us.
    await remove('theirs')
    expect(await powerOf(stage, 'theirs')).toMatch(/^running/)
    expect(ownerIn(await inactiveXml(stage, 'theirs')).released).toBe('yes')
    await stage.virsh('destroy', 'theirs')
    await stage.virsh('undefine', 'theirs')
  })

  test('IfUnchanged takes what is as the spec says, without a change but for the mark', async () => {
    await grant('Adopt')
    await define(foreignXml('same'))
    await stage.virsh('start', 'same')
    const id = (await stage.virsh('domid', 'same')).trim()
    const before = await inactiveXml(stage, 'same')
    const found = await create('same', { ...idle, adoptionPolicy: 'IfUnchanged' })
    expect(found.status!.binding.origin).toBe('Adopted')
    expect((await stage.virsh('domid', 'same')).trim()).toBe(id)
    expect((await inactiveXml(stage, 'same')).replace(/\s*<metadata>[\s\S]*<\/metadata>/, '')).toBe(before)
    await patchSpec(stage, 'same', { deletionPolicy: 'Delete' })
    await remove('same')
    expect(await onHost('same')).toBe(false)
  })

  test('ObserveOnly fills the status and changes nothing, and needs leave', async () => {
    await grant('Forbidden')
    await stage.apply(domain('seen', { managementPolicy: 'ObserveOnly' }))
    await stage.untilReason('virtualdomain', 'seen', 'NotFound')
    await define(foreignXml('seen'))
    await stage.untilReason('virtualdomain', 'seen', 'Forbidden')
    const before = await inactiveXml(stage, 'seen')
    await grant('Observe')
    const found = await stage.until('virtualdomain', 'seen', object => ready(object).reason === 'Observed')
    expect(found.status).toMatchObject({ powerState: 'Stopped', cpus: 1, memory: '32Mi', binding: { origin: 'Observed', name: 'seen' } })
    await stage.virsh('start', 'seen')
    await stage.until('virtualdomain', 'seen', object => object.status?.powerState === 'Running')
    await stage.virsh('destroy', 'seen')
    await stage.until('virtualdomain', 'seen', object => object.status?.powerState === 'Stopped' && ready(object).status === 'True')
    await remove('seen')
    expect(await inactiveXml(stage, 'seen')).toBe(before)
    expect(await powerOf(stage, 'seen')).toMatch(/^shut off/)
    await stage.apply(domain('seen', { managementPolicy: 'ObserveOnly' }))
    await stage.untilReason('virtualdomain', 'seen', 'Observed')
    await stage.virsh('undefine', 'seen')
    await stage.untilReason('virtualdomain', 'seen', 'NotFound')
    await remove('seen')
  })

  test('deletionPolicy: Retain releases the domain; the next object of its name has to adopt it', async () => {
    const made = await create('kept', { ...idle, deletionPolicy: 'Retain' })
    await remove('kept')
    expect(await powerOf(stage, 'kept')).toMatch(/^running/)
    expect(ownerIn(await inactiveXml(stage, 'kept')).released).toBe('yes')
    await grant('Adopt')
    await stage.apply(domain('kept', idle))
    const conflict = await stage.untilReason('virtualdomain', 'kept', 'Conflict')
    expect(conflict.message).toMatch(/released/)
    await patchSpec(stage, 'kept', { adoptionPolicy: 'IfUnchanged' })
    const again = await stage.untilReady('virtualdomain', 'kept')
    expect(again.status!.id).toBe(made.status!.id)
    expect(again.status!.binding.uuid).toBe(made.status!.binding.uuid)
    expect(ownerIn(await inactiveXml(stage, 'kept'))).toMatchObject({ released: 'no', uid: again.metadata.uid })
    await patchSpec(stage, 'kept', { deletionPolicy: 'Delete' })
    await remove('kept')
    expect(await onHost('kept')).toBe(false)
  })

  test('a domain undefined by hand is Lost and is not made anew; one that still runs is kept', async () => {
    await create('lost', idle)
    await stage.virsh('undefine', 'lost')
    await stage.until('virtualdomain', 'lost', object => ready(object).status === 'True')
    await expect.poll(async () => await stage.virsh('dominfo', 'lost'), { timeout: 30_000 }).toMatch(/Persistent:\s+yes/)
    await patchSpec(stage, 'lost', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'lost', 'Stopped')
    const xml = await inactiveXml(stage, 'lost')
    await stage.virsh('undefine', 'lost')
    const reason = await stage.untilReason('virtualdomain', 'lost', 'Lost')
    expect(reason.message).toMatch(/Nothing is created in its place/)
    await patchSpec(stage, 'lost', { powerState: 'Running', title: 'still lost' })
    await stage.untilReason('virtualdomain', 'lost', 'Lost')
    expect(await onHost('lost')).toBe(false)
    expect(await countEvents(stage, 'lost', 'Started')).toBe(1)
    // Brought back by hand, it goes on.
    await define(xml)
    await stage.untilReady('virtualdomain', 'lost')
    await stage.virsh('destroy', 'lost')
    await stage.until('virtualdomain', 'lost', object => object.status?.powerState === 'Running' && ready(object).status === 'True')
    await remove('lost')
  })

  test('while paused by annotation, vireo looks and changes nothing', async () => {
    const before = await create('held', idle)
    await annotate(stage, 'held', { 'vireo.dev/paused': 'true' })
    await stage.until('virtualdomain', 'held', object => condition(object, 'Synced')?.reason === 'ReconcilePaused')
    await patchSpec(stage, 'held', { title: 'later', powerState: 'Stopped' })
    const held = await stage.until('virtualdomain', 'held', object => object.status?.observedGeneration === object.metadata.generation)
    expect(ready(held)).toMatchObject({ status: 'False', reason: 'Updating' })
    expect(ready(held).message).toMatch(/left undone/)
    await stage.virsh('suspend', 'held')
    await stage.until('virtualdomain', 'held', object => object.status?.powerState === 'Paused')
    expect(await inactiveXml(stage, 'held')).not.toMatch(/<title>/)
    expect((await stage.get('virtualdomain', 'held'))!.status!.id).toBe(before.status!.id)
    await annotate(stage, 'held', { 'vireo.dev/paused': null })
    await stage.untilReason('virtualdomain', 'held', 'Stopped')
    expect(await inactiveXml(stage, 'held')).toMatch(/<title>later</)
    await remove('held')
  })

  test('the annotation reconcile has the host read now', async () => {
    await create('read', idle)
    await stage.virsh('setmem', 'read', '16M', '--config')
    await annotate(stage, 'read', { 'vireo.dev/reconcile': '1' })
    await expect.poll(async () => await inactiveXml(stage, 'read'), { timeout: 30_000 }).toMatch(/<currentMemory unit='KiB'>32768</)
    await remove('read')
  })

  test('a cluster made anew with the same installation takes its domains over as they run', async () => {
    const installation = (await stage.kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])).trim()
    const made = await create('survivor', { ...idle, title: 'from Git' })
    await stage.stopController()
    const rebuilt = await Stage.start({ existing: stage.host })
    try {
      await rebuilt.startController({ VIREO_INSTALLATION: installation })
      await rebuilt.apply(hypervisor() + domain('survivor', { ...idle, title: 'from Git' }))
      const found = await rebuilt.untilReady('virtualdomain', 'survivor')
      expect(found.status!.binding).toEqual(made.status!.binding)
      expect(found.status!.id).toBe(made.status!.id)
      expect(found.metadata.uid).not.toBe(made.metadata.uid)
      const cluster = (await rebuilt.kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])).trim()
      expect(ownerIn(await inactiveXml(rebuilt, 'survivor'))).toMatchObject({ installation, cluster, uid: found.metadata.uid, released: 'no' })
      expect(await countEvents(rebuilt, 'survivor', 'Defined', /Took over/)).toBe(1)
      expect(await countEvents(rebuilt, 'survivor', 'Started')).toBe(0)
      // Another installation has no claim.
      await rebuilt.stopController()
      await rebuilt.startController({ VIREO_INSTALLATION: randomUUID() })
      await rebuilt.apply(domain('stranger', { ...idle, name: 'survivor', adoptionPolicy: 'Always' }))
      const refused = await rebuilt.untilReason('virtualdomain', 'stranger', 'Conflict')
      expect(refused.message).toMatch(/another spec\.name/)
      await patch(rebuilt, 'stranger', { metadata: { finalizers: null } })
    } finally {
      await rebuilt.stop()
    }
    expect(await powerOf(stage, 'survivor')).toMatch(/^running/)
  })
})
