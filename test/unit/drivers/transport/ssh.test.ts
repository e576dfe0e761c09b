// What ssh is told: no host, user, path or name is ever read as something else.

import { describe, expect, test } from 'vitest'
import { remoteCommand, sshArguments, type SSHOptions } from '../../../../drivers/remote/transport/ssh.ts'

const remote: SSHOptions['remote'] = { helperURI: 'qemu:///system', proxy: 'auto', readOnly: false, netcat: 'nc', sockets: ['/run/libvirt/libvirt-sock'] }
const plain: SSHOptions = { host: 'kvm7', port: null, user: null, remote }

/** The values of `-o`. */
const options = (args: string[]): string[] => args.flatMap((arg, i) => (args[i - 1] === '-o' ? [arg] : []))

describe('arguments', () => {
  test('leave all to the user’s own configuration but what nobody could answer', () => {
    const args = sshArguments(plain)
    expect(options(args)).toEqual(['BatchMode=yes', 'LogLevel=ERROR', 'RequestTTY=no', 'RemoteCommand=none', 'ClearAllForwardings=yes', 'PermitLocalCommand=no', 'ControlMaster=no'])
    expect(args.slice(-3, -1)).toEqual(['--', 'kvm7'])
    expect(args).not.toContain('-l')
    expect(args).not.toContain('-p')
  })

  test('name user, port, key and known hosts where they are given', () => {
    const args = sshArguments({ ...plain, user: 'root', port: 2222, keyfile: '/keys/a b', knownHosts: '/keys/known hosts', verify: 'normal' })
    expect(args.slice(args.indexOf('-i'), -1)).toEqual(['-i', '/keys/a b', '-p', '2222', '-l', 'root', '--', 'kvm7'])
    expect(options(args)).toEqual(expect.arrayContaining(['IdentitiesOnly=yes', 'UserKnownHostsFile="/keys/known hosts"', 'StrictHostKeyChecking=yes']))
  })

  test('take a Secret’s key and hosts in place of everything else', () => {
    const args = sshArguments({ ...plain, verify: 'ignore', keyfile: '/keys/other' }, { key: '/proc/1/fd/5', knownHosts: '/proc/1/fd/6' })
    expect(options(args)).toEqual(expect.arrayContaining(['IdentityAgent=none', 'IdentitiesOnly=yes', 'PreferredAuthentications=publickey', 'UserKnownHostsFile="/proc/1/fd/6"', 'GlobalKnownHostsFile=none', 'StrictHostKeyChecking=yes']))
    expect(args).not.toContain('/keys/other')
    expect(options(args)).not.toContain('StrictHostKeyChecking=no')
  })

  test.each([
    ['normal', 'StrictHostKeyChecking=yes'], ['auto', 'StrictHostKeyChecking=accept-new'], ['ignore', 'StrictHostKeyChecking=no'],
  ] as const)('verify host keys: %s', (verify, option) => {
    expect(options(sshArguments({ ...plain, verify }))).toContain(option)
  })

  test.each([
    [['agent'], ['IdentityFile=none']], [['privkey'], ['IdentityAgent=none']], [['agent', 'privkey'], []],
  ] as const)('keys from %j', (keysFrom, wanted) => {
    expect(options(sshArguments({ ...plain, keysFrom: [...keysFrom] })).filter((option) => option.endsWith('=none') && option.startsWith('Identity'))).toEqual(wanted)
  })
})

test('the command on the host is one word for each of its parts, whatever they hold', () => {
  const command = remoteCommand({ ...remote, helperURI: "qemu:///it's?a=$(reboot)", sockets: ['/run/a b', '/run/`id`'] })
  expect(command.startsWith("sh -c '")).toBe(true)
  expect(command.endsWith(String.raw` 'vireo' 'auto' '' 'qemu:///it'\''s?a=$(reboot)' 'nc' '/run/a b' '/run/\`id\`'`.replaceAll('\\`', '`'))).toBe(true)
})
