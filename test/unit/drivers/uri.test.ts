// Connection URIs: what is read from them, what the daemon is told to open, and the sentence for each that leads nowhere.

import { describe, expect, test } from 'vitest'
import type { Connection, Driver } from '../../../drivers/driver.ts'
import { UriError } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { socketPaths } from '../../../drivers/targets.ts'
import { parseURI } from '../../../drivers/uri.ts'

const options = { callTimeout: 1000, keepAliveInterval: 0, keepAliveCount: 0 }

describe('parsing', () => {
  test.each([
    ['qemu:///system', { scheme: 'qemu', transport: 'unix', host: null, path: '/system', name: 'qemu:///system' }],
    ['qemu+unix:///session', { transport: 'unix', explicit: true, path: '/session', name: 'qemu:///session' }],
    ['qemu://host/system', { transport: 'tls', explicit: false, host: 'host', name: 'qemu:///system' }],
    ['qemu+ssh://root@host.example:2222/system', { transport: 'ssh', user: 'root', host: 'host.example', port: 2222, name: 'qemu:///system' }],
    ['xen+tcp://[fe80::1%25eth0]:16509/', { scheme: 'xen', transport: 'tcp', host: 'fe80::1%eth0', port: 16_509, path: '/', name: 'xen:///' }],
    ['LXC:///', { scheme: 'lxc', name: 'lxc:///' }],
    ['test+unix:///default?socket=/run/a%20b', { name: 'test:///default', parameters: new Map([['socket', '/run/a b']]) }],
    ['qemu+unix:///embed?root=/some/dir&socket=/s&mode=direct', { name: 'qemu:///embed?root=/some/dir', parameters: new Map([['socket', '/s'], ['mode', 'direct']]) }],
    ['esx+unix:///?socket=/s&name=esx%3A%2F%2Fuser%40host%2F%3Fno_verify%3D1', { scheme: 'esx', name: 'esx://user@host/?no_verify=1' }],
    ['qemu+unix:///system?name=a+b', { name: 'a+b', plain: 'qemu:///system' }],
    ['qemu+libssh2://host/system', { transport: 'ssh' }],
    ['qemu+libssh://host/system', { transport: 'ssh' }],
    ['qemu+ext:///system?command=/bin/way', { transport: 'ext', host: null }],
    ['qemu+ssh://DOMAIN.user@host/system', { user: 'DOMAIN.user' }],
    ['qemu+tls://[2001:db8::7]/system', { host: '2001:db8::7', name: 'qemu:///system' }],
  ] as const)('%s', (text, parts) => {
    expect(parseURI(text)).toMatchObject(parts)
  })

  test.each([
    ['', 'malformed', 'a connection URI has the form'],
    ['qemu', 'malformed', 'a connection URI has the form'],
    ['/run/libvirt/libvirt-sock', 'malformed', 'a connection URI has the form'],
    ['qemu:/system', 'malformed', 'a connection URI has the form'],
    ['qemu+unix://host/system', 'malformed', 'leave the host out'],
    ['qemu+ssh:///system', 'malformed', 'the transport ssh needs a host'],
    ['qemu+tcp://host:70000/system', 'malformed', 'port 70000 is beyond 65535'],
    ['qemu:///%zz', 'malformed', 'percent sign'],
    ['qemu+smoke://host/system', 'unknown', 'known are unix, tls, tcp, ssh, ext, libssh, libssh2'],
  ] as const)('%s is %s', (text, reason, sentence) => {
    expect(() => parseURI(text)).toThrow(expect.objectContaining({ name: 'UriError', reason, message: expect.stringContaining(sentence) }))
  })
})

describe('sockets', () => {
  const environment = { XDG_RUNTIME_DIR: '/run/user/7', HOME: '/home/u' }
  const paths = (text: string, env: NodeJS.ProcessEnv = environment) => socketPaths(parseURI(text), { environment: env })

  test.each([
    ['qemu:///system', ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock']],
    ['qemu+unix:///system?mode=legacy', ['/run/libvirt/libvirt-sock']],
    ['qemu+unix:///system?mode=direct', ['/run/libvirt/virtqemud-sock']],
    ['qemu:///session', ['/run/user/7/libvirt/libvirt-sock', '/run/user/7/libvirt/virtqemud-sock']],
    ['xen:///system', ['/run/libvirt/libvirt-sock', '/run/libvirt/virtxend-sock']],
    ['esx+unix:///', ['/run/libvirt/libvirt-sock']],
    ['qemu+unix:///system?socket=/s&mode=direct', ['/s']],
  ] as const)('%s leads to %j', (text, expected) => {
    expect(paths(text)).toEqual(expected)
  })

  test('for reading alone, a system daemon has sockets of their own, a session has not', () => {
    const read = (text: string): string[] => socketPaths(parseURI(text), { environment, readOnly: true })
    expect(read('qemu:///system')).toEqual(['/run/libvirt/libvirt-sock-ro', '/run/libvirt/virtqemud-sock-ro'])
    expect(read('qemu:///session')).toEqual(['/run/user/7/libvirt/libvirt-sock', '/run/user/7/libvirt/virtqemud-sock'])
    expect(read('qemu+unix:///system?socket=/s')).toEqual(['/s'])
  })

  test('without a runtime folder the session is in the cache', () => {
    expect(paths('qemu:///session', { HOME: '/home/u' })[0]).toBe('/home/u/.cache/libvirt/libvirt-sock')
  })

  test('a mode that leads nowhere says so', () => {
    expect(() => paths('qemu+unix:///system?mode=fast')).toThrow('mode=fast is not known; known are auto, direct, legacy')
    expect(() => paths('esx+unix:///?mode=direct')).toThrow('esx has no daemon of its own')
  })
})

describe('registry', () => {
  const refusal = async (text: string): Promise<UriError> => {
    const reason: unknown = await createRegistry({}, { allowLocal: true }).open(text, options).catch((error: unknown) => error)
    expect(reason).toBeInstanceOf(UriError)
    return reason as UriError
  }

  test.each([['phyp', '6.0.0'], ['xenapi', '5.8.0'], ['uml', '5.0.0']])('%s went in %s, and that is what it says', async (scheme, version) => {
    expect(await refusal(`${scheme}:///system`)).toMatchObject({ reason: 'removed', message: `libvirt removed its ${scheme} driver in ${version}: no supported host can serve it` })
  })

  test.each(['kvm', 'constructor', 'toString'])('the unknown scheme %s lists the known ones', async (scheme) => {
    const { reason, message } = await refusal(`${scheme}:///system`)
    expect(reason).toBe('unknown')
    expect(message).toContain('bhyve, ch, esx, gsx, hyperv, lxc, openvz, parallels, qemu, test, vbox')
  })

  test('an embedded driver takes its plain URIs and no others', async () => {
    const opened: string[] = []
    const embedded: Driver = { open: (uri) => { opened.push(uri); return Promise.resolve({} as Connection) } }
    const { open } = createRegistry({ test: embedded }, { allowLocal: true })
    await open('test:///default', options)
    await open('test:///path/to/file.xml', options)
    for (const other of ['test+unix:///default?socket=/nowhere/s', 'test:///default?socket=/nowhere/s']) expect(await open(other, options).catch((error: unknown) => (error as Error).name)).toBe('ConnectionLost')
    expect(opened).toEqual(['test:///default', 'test:///path/to/file.xml'])
  })
})
