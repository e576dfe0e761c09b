// Hypervisors that cannot be had here: their URI reaches libvirt's driver through a gateway daemon, and the answer says why not.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ErrorNumber } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, settings } from '../drivers/libvirtd.ts'

/** virErrorDomain. */
const From = { NONE: 0, RPC: 7, REMOTE: 13, OPENVZ: 14, VBOX: 25, VMWARE: 39 } as const

let gateway: PrivateLibvirtd
beforeAll(async () => { gateway = await startLibvirtd({ name: 'refusals' }) })
afterAll(() => gateway?.stop())

const open = (scheme: string, name: string): Promise<Error> =>
  failure(createRegistry({}, { allowLocal: true }).open(`${scheme}+unix:///?socket=${gateway.socket}&name=${encodeURIComponent(name)}`, settings))

describe('the daemon answers for', () => {
  test.each([
    ['Hyper-V', 'hyperv://operator@192.0.2.1/?transport=http', ErrorNumber.CONFIG_UNSUPPORTED, From.NONE, `unsupported configuration: libvirt was built without the 'hyperv' driver`],
    ['VirtualBox', 'vbox:///session', ErrorNumber.INTERNAL_ERROR, From.VBOX, 'internal error: unable to initialize VirtualBox driver API'],
    ['Virtuozzo by its old name', 'parallels:///system', ErrorNumber.CONFIG_UNSUPPORTED, From.NONE, `unsupported configuration: libvirt was built without the 'parallels' driver`],
    ['Virtuozzo', 'vz:///system', ErrorNumber.NO_CONNECT, From.NONE, 'no connection driver available for vz:///system'],
    ['bhyve', 'bhyve:///system', ErrorNumber.NO_CONNECT, From.NONE, 'no connection driver available for bhyve:///system'],
    ['Cloud Hypervisor', 'ch:///system', ErrorNumber.NO_CONNECT, From.NONE, 'no connection driver available for ch:///system'],
    ['Xen on a machine that is no dom0', 'xen:///system', ErrorNumber.NO_CONNECT, From.NONE, 'no connection driver available for xen:///system'],
    ['VMware without vmrun', 'vmwarews:///session', ErrorNumber.INTERNAL_ERROR, From.VMWARE, 'internal error: vmrun utility is missing'],
    ['OpenVZ on another kernel', 'openvz:///system', ErrorNumber.INTERNAL_ERROR, From.OPENVZ, 'internal error: OpenVZ control file /proc/vz does not exist'],
    ['a gateway that is to ask a further gateway', 'esx+unix://192.0.2.1/', ErrorNumber.INVALID_ARG, From.REMOTE, `invalid argument: using unix socket and remote server '192.0.2.1' is not supported.`],
  ])('%s', async (_who, name, code, domain, message) => {
    const scheme = /^\w+/.exec(name)![0]
    expect(await open(scheme, name)).toMatchObject({ name: 'LibvirtError', code, domain, message, procedure: 'connectOpen' })
  })
})

describe('the registry answers itself for', () => {
  test.each([
    ['phyp', 'phyp://operator@192.0.2.1/', '6.0.0'],
    ['uml', 'uml:///system', '5.0.0'],
    ['xenapi', 'xenapi://192.0.2.1/', '5.8.0'],
  ])('%s, which libvirt gave up, alone and behind a gateway', async (scheme, uri, version) => {
    const sentence = { name: 'UriError', reason: 'removed', message: `libvirt removed its ${scheme} driver in ${version}: no supported host can serve it` }
    expect(await failure(createRegistry({}, { allowLocal: true }).open(uri, settings))).toMatchObject(sentence)
    expect(await open('qemu', uri)).toMatchObject(sentence)
  })

  test('a scheme that nobody knows, and lists those that are known', async () => {
    expect(await open('qemu', 'proxmox://192.0.2.1/')).toMatchObject({ name: 'UriError', reason: 'unknown', message: expect.stringMatching(/^libvirt has no driver proxmox; it has bhyve, ch, esx,/) })
  })
})
