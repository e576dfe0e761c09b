// What a driver turned out not to have, what needs asking only once, and what goes over a connection of its own.

import { describe, expect, test } from 'vitest'
import type { DomainCalls, DomainTuningCalls } from '../../../drivers/driver.ts'
import { LibvirtError, Unsupported } from '../../../drivers/errors.ts'
import { Rpc } from '../../../drivers/remote/calls/rpc.ts'
import type { Client } from '../../../drivers/remote/client.ts'
import { domainCalls } from '../../../drivers/remote/calls/domain.ts'
import { storageCalls } from '../../../drivers/remote/calls/storage.ts'
import { connectCalls } from '../../../drivers/remote/calls/connect.ts'
import { networkCalls } from '../../../drivers/remote/calls/network.ts'
import { tuningCalls } from '../../../drivers/remote/calls/tuning.ts'
import { procedures as p, type Procedure } from '../../../drivers/remote/protocol.ts'
import { settle } from '../../support/fakeclock.ts'
import { connected, refusalOf, replyTo, type ScriptedPeer } from '../../support/rpc/scripted-peer.ts'

const vm = { name: 'vm', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }
const failure = (promise: Promise<unknown>): Promise<Error> => promise.then(() => { throw new Error('it succeeded') }, (reason: unknown) => reason as Error)
const lacks = { code: 3, message: 'this function is not supported by the connection driver: virDomainReset', str2: 'virDomainReset' }

const setUp = async ({ storageAside = false } = {}): Promise<{ rpc: Rpc; peer: ScriptedPeer; others: ScriptedPeer[] }> => {
  const { client, peer } = await connected()
  const others: ScriptedPeer[] = []
  const dial = async (): Promise<Client> => {
    const other = await connected()
    others.push(other.peer)
    return other.client
  }
  return { rpc: new Rpc({ client, dial, storageAside, features: { eventCallback: true, closeCallback: true, networkUpdateOrder: true } }), peer, others }
}
/** Answers the last call once it is there. */
const answer = async <R>(peer: ScriptedPeer, procedure: Procedure<any, R>, ret: R): Promise<void> => {
  await settle()
  expect(peer.calls.at(-1)!.procedure).toBe(procedure.number)
  peer.send(replyTo(peer.calls.at(-1)!, procedure, ret))
}
const refuse = async (peer: ScriptedPeer, error: Parameters<typeof refusalOf>[1]): Promise<void> => {
  await settle()
  peer.send(refusalOf(peer.calls.at(-1)!, error))
}

describe('what the driver lacks', () => {
  test('is Unsupported with the driver\'s name, and is not asked a second time on this connection', async () => {
    const { rpc, peer } = await setUp()
    const calls = domainCalls(rpc)
    const first = failure(calls.domainReset(vm))
    await refuse(peer, lacks)
    await answer(peer, p.connectGetType, 'ESX')
    const reason = await first
    expect(reason).toBeInstanceOf(Unsupported)
    expect(reason).toBeInstanceOf(LibvirtError)
    expect(reason).toMatchObject({ name: 'Unsupported', code: 3, driver: 'ESX', procedure: 'domainReset', message: 'libvirt\'s ESX driver has no domainReset' })
    expect((reason.cause as Error).message).toBe(lacks.message)
    expect(await failure(calls.domainReset({ ...vm, name: 'another' }))).toBe(reason)
    expect(peer.calls.length).toBe(2)
  })

  test.each(['pool does not support it', 'virDomainMigratePrepare3Params', null])('is not what only this object or another host lacks (%s): the next one is asked', async (str2) => {
    const { rpc, peer } = await setUp()
    const calls = domainCalls(rpc)
    for (let i = 1; i <= 2; i++) {
      const call = failure(calls.domainReset(vm))
      await refuse(peer, { code: 3, message: 'this function is not supported by the connection driver', str2 })
      expect(await call).not.toBeInstanceOf(Unsupported)
      expect(peer.calls.length).toBe(i)
    }
  })

  test.each<[string, (calls: DomainCalls & DomainTuningCalls) => Promise<unknown>]>([
    ['virDomainQemuAgentCommand', (calls) => calls.qemuDomainAgentCommand(vm, '{}', 1)],
    ['virDomainFSTrim', (calls) => calls.domainFSTrim(vm, null, 0)],
    ['virDomainGetIOThreadInfo', (calls) => calls.domainGetIOThreadInfo(vm, 0)],
  ])('is known by the public function\'s name, however that is spelt: %s', async (str2, ask) => {
    const { rpc, peer } = await setUp()
    const reason = failure(ask({ ...domainCalls(rpc), ...tuningCalls(rpc) }))
    await refuse(peer, { code: 3, str2 })
    await answer(peer, p.connectGetType, 'LXC')
    expect(await reason).toBeInstanceOf(Unsupported)
  })

  test('has an older form where libvirt has one, and that is taken at once the next time', async () => {
    const { rpc, peer } = await setUp()
    const calls = domainCalls(rpc)
    const first = calls.domainDefineXMLFlags('<domain/>', 0)
    await refuse(peer, { ...lacks, str2: 'virDomainDefineXMLFlags' })
    await answer(peer, p.connectGetType, 'Hyper-V')
    await answer(peer, p.domainDefineXML, vm)
    expect(await first).toEqual(vm)
    const second = calls.domainDefineXMLFlags('<domain/>', 0)
    await answer(peer, p.domainDefineXML, vm)
    expect(await second).toEqual(vm)
    expect(await failure(calls.domainDefineXMLFlags('<domain/>', 1))).toBeInstanceOf(Unsupported)
    expect(peer.calls.length).toBe(4)
  })

  test('is what came with a later libvirt too: an older daemon is never sent a number that it does not know', async () => {
    const { rpc, peer } = await setUp()
    const net = { name: 'n', uuid: vm.uuid }
    const call = failure(networkCalls(rpc).networkGetMetadata(net, 1, null, 0))
    await answer(peer, p.connectGetLibVersion, 9_000_000)
    await answer(peer, p.connectGetType, 'QEMU')
    expect(await call).toBeInstanceOf(Unsupported)
    expect((await call).message).toBe('the host has libvirt 9.0, and networkGetMetadata came with 9.7')
    expect(await failure(networkCalls(rpc).networkGetMetadata(net, 1, null, 0))).toBe(await call)
    expect(peer.calls.map(({ procedure }) => procedure)).toEqual([157, 3])
  })

  test('is sent where the libvirt is late enough', async () => {
    const { rpc, peer } = await setUp()
    const call = networkCalls(rpc).networkGetMetadata({ name: 'n', uuid: vm.uuid }, 1, null, 0)
    await answer(peer, p.connectGetLibVersion, 9_007_000)
    await answer(peer, p.networkGetMetadata, 'a title')
    expect(await call).toBe('a title')
  })

  test('says so without the driver\'s name where even that is not told', async () => {
    const { rpc, peer } = await setUp()
    const call = failure(domainCalls(rpc).domainReset(vm))
    await refuse(peer, lacks)
    await refuse(peer, { code: 1 })
    expect((await call).message).toBe('libvirt\'s own driver has no domainReset')
  })

  test('is learnt on a connection of its own too', async () => {
    const { rpc, peer, others } = await setUp()
    const call = failure(domainCalls(rpc).domainManagedSave(vm, 0))
    await settle()
    await refuse(others[0]!, { ...lacks, str2: 'virDomainManagedSave' })
    await answer(peer, p.connectGetType, 'LXC')
    expect(await call).toBeInstanceOf(Unsupported)
    expect(await failure(domainCalls(rpc).domainManagedSave(vm, 0))).toBe(await call)
    expect(others.length).toBe(1)
  })
})

test('a connection that is there for one piece of work does it itself, and goes on after a call', async () => {
  const { client, peer } = await connected()
  const rpc = new Rpc({ client, dial: async () => client, storageAside: false, features: { eventCallback: true, closeCallback: true, networkUpdateOrder: true } })
  const vol = { pool: 'images', name: 'web', key: '/web' }
  const cloned = storageCalls(rpc).storageVolCreateXMLFrom({ name: 'images', uuid: vm.uuid }, '<volume/>', vol, 0)
  await answer(peer, p.storageVolCreateXMLFrom, vol)
  expect(await cloned).toEqual(vol)
  const path = storageCalls(rpc).storageVolGetPath(vol)
  await answer(peer, p.storageVolGetPath, '/web')
  expect(await path).toBe('/web')
  const uploading = storageCalls(rpc).storageVolUpload(vol, 0, 4, 0)
  await answer(peer, p.storageVolUpload, undefined)
  await (await uploading).write(Buffer.from('data'))
  const closing = rpc.close()
  await closing
})

describe('what needs asking once', () => {
  test('is asked once for all who ask, by its arguments', async () => {
    const { rpc, peer } = await setUp()
    const calls = connectCalls(rpc)
    const asked = [calls.connectGetDomainCapabilities(null, 'x86_64', 'q35', 'kvm'), calls.connectGetDomainCapabilities(null, 'x86_64', 'q35', 'kvm')]
    await answer(peer, p.connectGetDomainCapabilities, '<domainCapabilities/>')
    expect(await Promise.all(asked)).toEqual(['<domainCapabilities/>', '<domainCapabilities/>'])
    const other = calls.connectGetDomainCapabilities(null, 'x86_64', 'pc', 'kvm')
    await answer(peer, p.connectGetDomainCapabilities, '<other/>')
    expect(await other).toBe('<other/>')
    expect(peer.calls.length).toBe(2)
  })

  test('a failure is not kept', async () => {
    const { rpc, peer } = await setUp()
    const calls = connectCalls(rpc)
    const first = failure(calls.connectGetType())
    await refuse(peer, { code: 38 })
    expect(await first).toBeInstanceOf(LibvirtError)
    const second = calls.connectGetType()
    await answer(peer, p.connectGetType, 'QEMU')
    expect(await second).toBe('QEMU')
  })
})

describe('what takes long', () => {
  test('has a connection of its own, which ends with it', async () => {
    const { rpc, peer, others } = await setUp()
    const saving = domainCalls(rpc).domainManagedSave(vm, 0)
    await settle()
    await answer(others[0]!, p.domainManagedSave, undefined)
    await saving
    expect([peer.calls.length, others[0]!.closed, peer.closed]).toEqual([0, true, false])
  })

  test('ends with the connection it belongs to', async () => {
    const { rpc, others } = await setUp()
    const saving = failure(domainCalls(rpc).domainManagedSave(vm, 0))
    await settle()
    await rpc.close()
    expect((await saving).message).toContain('domainManagedSave got no answer and may have taken effect')
    expect(others[0]!.closed).toBe(true)
  })
})

test('no domains are not all domains', async () => {
  const { rpc, peer } = await setUp()
  expect(await domainCalls(rpc).domainListGetStats([], 0)).toEqual([])
  expect(peer.calls).toEqual([])
})

describe('storage', () => {
  const nfs = { name: 'nfs', uuid: vm.uuid }

  test('has one connection of its own, made when it is first needed, and anew after that ended', async () => {
    const { rpc, peer, others } = await setUp({ storageAside: true })
    const calls = storageCalls(rpc)
    const active = calls.storagePoolIsActive(nfs)
    const listed = calls.connectListAllStoragePools()
    await settle()
    expect([peer.calls.length, others.map(other => other.calls.length)]).toEqual([0, [2]])
    others[0]!.send(replyTo(others[0]!.calls[0]!, p.storagePoolIsActive, true), replyTo(others[0]!.calls[1]!, p.connectListAllStoragePools, [nfs]))
    expect([await active, await listed]).toEqual([true, [nfs]])
    others[0]!.drop(new Error('gone'))
    await settle()
    const again = calls.storagePoolIsActive(nfs)
    await settle()
    await answer(others[1]!, p.storagePoolIsActive, false)
    expect(await again).toBe(false)
  })

  test('that hangs holds up no other call', async () => {
    const { rpc, peer } = await setUp({ storageAside: true })
    for (let i = 0; i < 8; i++) void failure(storageCalls(rpc).storagePoolRefresh(nfs)).catch(() => undefined)
    const reset = domainCalls(rpc).domainReset(vm).then(() => 'reset')
    await answer(peer, p.domainReset, undefined)
    expect(await reset).toBe('reset')
    await rpc.close()
  })

  test('of a driver that keeps it with the connection goes over that one', async () => {
    const { rpc, peer, others } = await setUp()
    const active = storageCalls(rpc).storagePoolIsActive(nfs)
    await answer(peer, p.storagePoolIsActive, true)
    expect([await active, others.length]).toEqual([true, 0])
  })
})
