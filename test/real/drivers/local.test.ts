// Ways that stay on one machine: sockets of every kind and name, read-only, programs in between, polkit, and a gateway's inner URI.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection, OpenOptions } from '../../../drivers/driver.ts'
import { XMLFlags } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, recorder, settings } from './libvirtd.ts'

const checkout = join(import.meta.dirname, '../../..')
const open = (uri: string, options: Partial<OpenOptions> = {}): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(uri, { ...settings, ...options })

let host: PrivateLibvirtd
let folder: string
beforeAll(async () => {
  host = await startLibvirtd({ name: 'local' })
  folder = await mkdtemp(join(tmpdir(), 'vireo-local-'))
})
afterAll(async () => {
  await host?.stop()
  if (folder) await rm(folder, { recursive: true })
})

/** A program of one line of shell. */
const program = async (name: string, line: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\nexec ${line}\n`, { mode: 0o755 })
  return path
}

describe('sockets in their usual places', () => {
  /** Opens a URI where the host's /run/libvirt is, and answers the driver's name, or the error. */
  const inside = async (uri: string, options: object = {}, environment: Record<string, string> = {}): Promise<string> => {
    const text = `
      import { createRegistry } from ${JSON.stringify(join(checkout, 'drivers/registry.ts'))}
      const options = { callTimeout: 10000, keepAliveInterval: 0, keepAliveCount: 0, ...${JSON.stringify(options)} }
      const connection = await createRegistry().open(${JSON.stringify(uri)}, options).catch(error => { console.log(error.name + ': ' + error.message); process.exit() })
      console.log(await connection.connectGetType())
      await connection.close()`
    return (await host.execOk(['env', ...Object.entries(environment).map(([key, value]) => `${key}=${value}`), process.execPath, '--input-type=module', '-e', text])).trim()
  }

  test('the monolithic daemon’s, and a modular daemon’s by its own name', async () => {
    expect(await inside('qemu:///system')).toBe('QEMU')
    expect(await inside('qemu:///system?mode=direct')).toBe('ConnectionLost: libvirt cannot be reached: /run/libvirt/virtqemud-sock (there is no such socket (ENOENT))')
    await host.execOk(['ln', '-s', 'libvirt-sock', '/run/libvirt/virtqemud-sock'])
    expect(await inside('qemu:///system?mode=direct')).toBe('QEMU')
    expect(await inside('lxc:///system?mode=direct')).toContain('/run/libvirt/virtlxcd-sock (there is no such socket (ENOENT))')
  })

  test('the modular daemon’s where there is no other', async () => {
    await host.execOk(['mv', '/run/libvirt/libvirt-sock', '/run/libvirt/real-sock'])
    await host.execOk(['ln', '-sfn', 'real-sock', '/run/libvirt/virtqemud-sock'])
    expect(await inside('qemu:///system')).toBe('QEMU')
    expect(await inside('qemu:///system?mode=legacy')).toContain('/run/libvirt/libvirt-sock (there is no such socket (ENOENT))')
    await host.execOk(['mv', '/run/libvirt/real-sock', '/run/libvirt/libvirt-sock'])
  })

  test('a session’s, below the runtime folder of its user', async () => {
    await mkdir(join(folder, 'runtime/libvirt'), { recursive: true })
    await symlink(host.socket, join(folder, 'runtime/libvirt/virtqemud-sock'))
    expect(await inside('qemu:///session?name=test%3A%2F%2F%2Fdefault', {}, { XDG_RUNTIME_DIR: join(folder, 'runtime') })).toBe('TEST')
  })

  test('the one for reading alone', async () => {
    await host.execOk(['rm', '-f', '/run/libvirt/virtqemud-sock'])
    await host.execOk(['mv', '/run/libvirt/libvirt-sock', '/run/libvirt/real-sock'])
    expect(await inside('qemu:///system', { readOnly: true })).toBe('QEMU')
    expect(await inside('qemu:///system')).toContain('libvirt cannot be reached')
    await host.execOk(['mv', '/run/libvirt/real-sock', '/run/libvirt/libvirt-sock'])
  })
})

test('a read-only connection reads and follows events, shows no secret and changes nothing', async () => {
  const [reader, writer] = await Promise.all([open(host.uri(), { readOnly: true }), open(host.uri())])
  const events = recorder(reader)
  await reader.eventsRegister()
  const domain = await writer.domainDefineXMLFlags(`<domain type='qemu'><name>d</name><memory>65536</memory><os><type>hvm</type></os>
    <devices><graphics type='vnc' passwd='hunter2'/></devices></domain>`, 0)
  expect(await events.saw('domain', 'lifecycle', ({ dom }) => dom.name === 'd')).toMatchObject({ dom: { uuid: domain.uuid } })
  expect(await writer.domainGetXMLDesc(domain, XMLFlags.SECURE)).toContain('hunter2')
  const shown = await reader.domainGetXMLDesc(domain, XMLFlags.SECURE | XMLFlags.INACTIVE)
  expect([shown.includes('<name>d</name>'), shown.includes('hunter2')]).toEqual([true, false])
  expect(await failure(reader.domainUndefineFlags(domain, 0))).toMatchObject({ name: 'LibvirtError', code: 29 })
  await writer.domainUndefineFlags(domain, 0)
  await Promise.all([reader.close(), writer.close()])
})

describe('a program in between', () => {
  test('carries calls, events and the end', async () => {
    const connection = await open(`test+ext:///default?command=${await program('socat', `socat STDIO UNIX-CONNECT:${host.socket}`)}`)
    const events = recorder(connection)
    await connection.eventsRegister()
    const domain = await connection.domainLookupByName('test')
    await connection.domainSuspend(domain)
    expect(await events.saw('domain', 'lifecycle')).toMatchObject({ dom: { name: 'test' } })
    await connection.domainResume(domain)
    await connection.close()
  })

  test('that ends by itself ends the connection with its words', async () => {
    const connection = await open(`test+ext:///default?command=${await program('short', `timeout 1 socat STDIO UNIX-CONNECT:${host.socket}`)}`)
    expect((await connection.closed).message).toContain('the program ended with code 124')
    expect((await failure(open(`test+ext:///default?command=${await program('fails', `sh -c 'echo no way there >&2; exit 3'`)}`))).message).toContain('the program ended with code 3: no way there')
  })

  test('that is not there is a sentence', async () => {
    expect((await failure(open('test+ext:///default?command=/no/such/program'))).message).toContain('/no/such/program')
  })

  test('that says what is no libvirt ends the connection', async () => {
    expect(await failure(open(`test+ext:///default?command=${await program('noise', 'head -c 4096 /dev/urandom')}`))).toMatchObject({ name: 'ConnectionLost' })
  })
})

describe('a gateway', () => {
  const through = (inner: string): Promise<Connection> => open(`esx+unix:///?socket=${host.socket}&name=${encodeURIComponent(inner)}`)

  test('opens the inner URI with its own driver, and its answer is what is told', async () => {
    // No ESX is there: that its driver says so (VIR_FROM_ESX) shows that it was reached.
    expect(await failure(through('esx://root@no-such-host.invalid/?no_verify=1'))).toMatchObject({ name: 'LibvirtError', domain: 28, message: expect.stringContaining('no-such-host.invalid') })
  })

  test('is not told an inner URI that holds a password, and the refusal does not repeat it', async () => {
    const error = await failure(through('esx://root:hunter2@127.0.0.1:1/'))
    expect(error.name).toBe('UriError')
    expect(error.message).not.toContain('hunter2')
  })
})

test('who is not let in by polkit reads why, and what to do', async () => {
  const strict = await startLibvirtd({ name: 'polkit', conf: ['auth_unix_rw = "polkit"'] })
  try {
    // root is always let in.
    const nobody = await program('nobody', `setpriv --reuid 65534 --regid 65534 --clear-groups socat STDIO UNIX-CONNECT:${strict.socket}`)
    const error = await failure(open(`test+ext:///default?command=${nobody}`))
    expect(error).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining(`polkit on ${nobody} does not let this user in (`) })
    expect(error.message).toContain('add the user to the group libvirt')
    const root = await open(strict.uri('test:///default'))
    expect(await root.connectGetType()).toBe('TEST')
    await root.close()
  } finally {
    await strict.stop()
  }
})
