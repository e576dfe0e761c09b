// The end of a network: who keeps it, what is removed, what is left and how.

import { describe, expect, test } from 'vitest'
import { ownerOf as markOf } from '../../../../reconcilers/identity.ts'
import { networkKind } from '../../../../reconcilers/network/index.ts'
import type { Spec } from '../../../../reconcilers/network/render.ts'
import { parseXml } from '../../../../xml/tree.ts'
import { LAB, type ObjectOptions, type WorldOptions, domainObject, foreign, guest, hosted, kind, networkObject, ownerOf, plan, types, uuidOf, world } from './bed.ts'

const ending = (options: ObjectOptions = {}): ReturnType<typeof networkObject> => networkObject({ bound: 'Created', terminating: true, ...options })

describe('deletion', () => {
  test('stops and undefines what vireo made, each only after the object was read live', () => {
    const made = plan(ending(), { observed: [hosted(LAB)] })
    expect(types(made)).toEqual(['Stopped', 'Undefined'])
    expect(made.actions.every(action => action.guarded)).toBe(true)
    expect(types(plan(ending(), { observed: [hosted(LAB, { active: false })] }))).toEqual(['Undefined'])
  })

  test('is over only when the host itself said that the network is gone', () => {
    expect(plan(ending(), { verified: false })).toMatchObject({ actions: [{ type: 'LookedUp' }] })
    expect(plan(ending(), { verified: false }).gone).toBeUndefined()
    expect(plan(ending())).toMatchObject({ actions: [], gone: true })
  })

  test('works for a spec that is invalid by now, and for a network of a cluster that was rebuilt', () => {
    expect(types(plan(ending({ spec: { ipv4: { address: 'x' } } }), { observed: [hosted(LAB)] }))).toEqual(['Stopped', 'Undefined'])
    expect(types(plan(networkObject({ terminating: true }), { observed: [hosted(LAB, { owner: ownerOf({ cluster: 'gone', uid: 'gone' }) })] }))).toEqual(['Stopped', 'Undefined'])
  })

  const users: { reason: string; options: WorldOptions; says: string }[] = [
    { reason: 'a running foreign domain', options: { observed: [guest('secret-name')] }, says: '1 domain of others' },
    { reason: 'a defined foreign domain', options: { observed: [guest('secret-name', { running: false }), guest('b')] }, says: '2 domains of others' },
    { reason: 'a VirtualDomain of the namespace', options: { domains: [domainObject('web'), domainObject('db', { network: 'other' })] }, says: 'VirtualDomain web' },
    { reason: 'one that is itself being deleted: it goes first', options: { domains: [domainObject('web', { terminating: true })] }, says: 'VirtualDomain web' },
    { reason: 'a VirtualDomain that no longer refers to it but still is plugged in', options: { domains: [domainObject('web', { network: 'other', uuid: 'uuid-web' })], observed: [guest('web')] }, says: 'VirtualDomain web' },
    { reason: 'a VirtualDomain and its domain, once', options: { domains: [domainObject('web', { uuid: 'uuid-web' })], observed: [guest('web')] }, says: 'VirtualDomain web' },
    { reason: 'a VirtualDomain of another namespace', options: { domains: [domainObject('web', { namespace: 'infra', networkNamespace: 'shop', uuid: 'uuid-web' })], observed: [guest('web')] }, says: '1 domain of others' },
    { reason: 'both', options: { domains: [domainObject('b'), domainObject('a')], observed: [guest('x')] }, says: 'VirtualDomain a, VirtualDomain b, 1 domain of others' },
  ]
  test.each(users)('waits for $reason', ({ options, says }) => {
    const made = plan(ending(), { ...options, observed: [hosted(LAB), ...options.observed ?? []] })
    expect([made.actions, made.gone]).toEqual([[], undefined])
    expect(made.deletionBlocked?.reason).toBe('InUse')
    expect(made.deletionBlocked?.message).toContain(`in use by ${says}:`)
    expect(made.deletionBlocked?.message).not.toContain('secret-name')
  })

  test('a domain of the same name in another namespace that means its own network is no user', () => {
    expect(types(plan(ending(), { observed: [hosted(LAB)], domains: [domainObject('web', { namespace: 'infra' })] }))).toEqual(['Stopped', 'Undefined'])
  })

  const retained: { reason: string; object: ObjectOptions; retainAll?: boolean }[] = [
    { reason: 'deletionPolicy Retain', object: { spec: { ...LAB, deletionPolicy: 'Retain' } } },
    { reason: 'an adopted one by default', object: { bound: 'Adopted' } },
    { reason: 'anything while the CRD is being deleted', object: { spec: { ...LAB, deletionPolicy: 'Delete' } }, retainAll: true },
  ]
  test.each(retained)('leaves $reason on the host, marked as released, whoever uses it', ({ object, retainAll = false }) => {
    const one = networkKind({ retainAll: () => retainAll })
    const run = (observed: ReturnType<typeof hosted>): ReturnType<typeof plan> => one.plan(one.gather(world({ observed: [observed, guest('web')] }), ending(object)))
    const made = run(hosted(LAB))
    expect(types(made)).toEqual(['Released'])
    const [action] = made.actions
    const xml = action?.type === 'Released' ? action.xml : ''
    expect(markOf(parseXml(xml))).toEqual(ownerOf({ released: true }))
    expect(run(hosted(LAB, { owner: ownerOf({ released: true }) }))).toMatchObject({ actions: [], gone: true })
  })

  test('Delete removes an adopted one when the spec says so', () => {
    expect(types(plan(ending({ bound: 'Adopted', spec: { ...LAB, deletionPolicy: 'Delete' } }), { observed: [hosted(LAB)] }))).toEqual(['Stopped', 'Undefined'])
  })

  const notOurs: { reason: string; observed: ReturnType<typeof hosted> }[] = [
    { reason: 'a foreign one', observed: foreign('', { uuid: uuidOf('shop', 'lab') }) },
    { reason: 'that of another object', observed: hosted(LAB, { owner: ownerOf({ name: 'other' }) }) },
    { reason: 'that of an object made before', observed: hosted(LAB, { owner: ownerOf({ uid: 'before' }) }) },
  ]
  test.each(notOurs)('never removes $reason', ({ observed }) => {
    const unbound = plan(networkObject({ terminating: true }), { observed: [observed] })
    expect(unbound).toMatchObject({ actions: [], gone: true })
    const bound = plan(ending(), { observed: [observed] })
    expect(bound.actions).toEqual([])
    expect(bound.deletionBlocked).toMatchObject({ reason: 'ForeignObject' })
    expect(bound.deletionBlocked!.message).toMatch(/vireo\.dev\/release/)
  })

  test('an ObserveOnly object leaves everything, also what vireo once made', () => {
    const spec: Spec = { ...LAB, managementPolicy: 'ObserveOnly' }
    expect(plan(ending({ spec }), { observed: [hosted(LAB)] })).toMatchObject({ actions: [], gone: true })
  })

  test('the binding in the status stays to the end', () => {
    const object = ending()
    expect(kind.describe(kind.gather(world({ observed: [hosted(LAB)] }), object)).binding).toEqual(object.status!.binding)
  })
})
