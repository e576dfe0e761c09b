// Odd and hostile connection URIs: each is refused with a sentence before anything is opened, read or run, and no sentence repeats what is secret.

import { describe, expect, test } from 'vitest'
import { parseURI, shownURI } from '../../../drivers/uri.ts'
import { refuseLocal, targetOf } from '../../../drivers/targets.ts'

/** What a registry does with a URI before it opens anything. */
const read = (uri: string, allowLocal: boolean): void => {
  const parsed = parseURI(uri)
  if (!allowLocal) refuseLocal(parsed)
  targetOf(parsed, {})
}

const shape = 'has the form driver[+transport]://'
const host = 'the host is neither a name'
const user = 'the user is not a name'
const password = 'holds no password'
const control = 'control character'

describe('refused, wherever it comes from', () => {
  test.each([
    // What is no URI of libvirt's.
    ['nothing', '', shape],
    ['a space in front', ' qemu:///system', shape],
    ['a line break behind', 'qemu:///system\n', control],
    ['another scheme inside', 'qemu+unix+tls:///system', shape],
    ['a fragment', 'qemu:///system#part', shape],
    ['a scheme of digits', '9p:///system', shape],
    ['a transport without a name', 'qemu+:///system', shape],
    ['one slash', 'qemu:/system', shape],
    ['no slash', 'qemu:system', shape],
    ['backslashes', String.raw`qemu:\\host\system`, shape],
    ['a path alone', '/run/libvirt/libvirt-sock', shape],
    ['a URI in angle brackets', '<qemu:///system>', shape],
    ['8 KiB of path', `qemu:///${'a'.repeat(8192)}`, shape],
    ['half a percent sign', 'qemu:///%', 'percent sign'],
    ['a percent sign of no digits', 'qemu://%zz/system', 'percent sign'],
    ['invalid UTF-8', 'qemu:///%ff', 'percent sign'],
    ['an overlong NUL', 'qemu:///%c0%80', 'percent sign'],
    ['a NUL in the path', 'qemu:///system%00', control],
    ['a NUL in the host', 'qemu://host%00.example.org/system', host],
    ['a line break in a parameter', 'qemu:///system?socket=/run/a%0ab', control],
    ['a line break in the inner URI', 'esx+unix:///?name=esx%3A%2F%2Fhost%2F%0a', control],
    ['an unknown transport', 'qemu+http://host/system', 'the transport http is not known'],
    // Hosts that would be read as something else.
    ['an option for a host', 'qemu+ssh://-oProxyCommand=reboot/system', host],
    ['an encoded option for a host', 'qemu+ssh://%2doProxyCommand%3dreboot/system', host],
    ['a host of two words', 'qemu+ssh://a%20b/system', host],
    ['a host with a quote', `qemu+ssh://a'b/system`, host],
    ['a host with a double quote', 'qemu+ssh://a%22b/system', host],
    ['a host with a semicolon', 'qemu+ssh://a;reboot/system', host],
    ['a host that is a command', 'qemu+ssh://$(reboot)/system', host],
    ['a host in backticks', 'qemu+ssh://%60reboot%60/system', host],
    ['a host with a pipe', 'qemu+ssh://a|b/system', host],
    ['a host with a slash', 'qemu+ssh://a%2fb/system', host],
    ['a host with a user inside', 'qemu+ssh://root%40host/system', host],
    ['a host beyond ASCII', 'qemu+tls://h%C3%B6st/system', host],
    ['a host of 300 characters', `qemu+tls://${'a'.repeat(300)}/system`, host],
    ['an address with a placeholder for a zone', 'qemu+ssh://[fe80::1%25$(id)]/system', host],
    ['brackets around nothing', 'qemu+tls://[]/system', 'needs a host'],
    ['an open bracket', 'qemu+tls://[::1/system', shape],
    ['port 0', 'qemu+tls://host:0/system', 'port 0 is no port'],
    ['a port beyond 65535', 'qemu+tls://host:65536/system', 'port 65536 is beyond 65535'],
    ['a negative port', 'qemu+tls://host:-1/system', shape],
    ['a port without a host', 'qemu://:16514/system', 'without a host'],
    ['a user without a host', 'qemu://root@/system', 'without a host'],
    ['a unix socket elsewhere', 'qemu+unix://host/system', 'leave the host out'],
    ['TLS to nobody', 'qemu+tls:///system', 'the transport tls needs a host'],
    // Users.
    ['an option for a user', 'qemu+ssh://-oProxyCommand=reboot@host/system', user],
    ['an encoded option for a user', 'qemu+ssh://%2dlroot@host/system', user],
    ['a user of two words', 'qemu+ssh://a%20b@host/system', user],
    ['a user with a quote', 'qemu+ssh://a%27b@host/system', user],
    ['a user with a semicolon', 'qemu+ssh://a%3breboot@host/system', user],
    ['a user that is a command', 'qemu+ssh://$(id)@host/system', user],
    ['a user with a line break', 'qemu+ssh://a%0ab@host/system', user],
    ['a user of nothing', 'qemu+ssh://@host/system', user],
    // Passwords.
    ['a password', 'qemu+ssh://root:hunter2@host/system', password],
    ['a password in the inner URI', 'esx+unix:///?name=esx%3A%2F%2Froot%3Ahunter2%40esx7%2F', password],
    ['a password in an inner URI that is not encoded', 'esx+unix:///?name=esx://root:hunter2@esx7/', password],
    // Parameters.
    ['a socket that is no path', 'qemu:///system?socket=libvirt-sock', 'socket has to be an absolute path'],
    ['a key of a placeholder', 'qemu+ssh://host/system?keyfile=/root/%25h', 'keyfile has to be an absolute path'],
    ['a key of a variable', 'qemu+ssh://host/system?keyfile=/root/${HOME}', 'keyfile has to be an absolute path'],
    ['known hosts with a quote', 'qemu+ssh://host/system?known_hosts=/a%22b', 'known_hosts has to be an absolute path'],
    ['a program that is searched for', 'qemu+ssh://host/system?command=ssh', 'command has to be an absolute path'],
    ['a netcat with arguments', 'qemu+ssh://host/system?netcat=nc%20-e%20sh', 'netcat has to be the name or path of one program'],
    ['a netcat that is an option', 'qemu+ssh://host/system?netcat=-e', 'netcat has to be the name or path of one program'],
    ['a netcat that is a command', 'qemu+ssh://host/system?netcat=$(id)', 'netcat has to be the name or path of one program'],
    ['an unknown mode', 'qemu+ssh://host/system?mode=fast', 'mode=fast is not known'],
    ['an unknown proxy', 'qemu+ssh://host/system?proxy=socks', 'proxy=socks is not known'],
    ['a helper with a socket', 'qemu+ssh://host/system?proxy=native&socket=/s', 'exclude each other'],
    ['a session by netcat', 'qemu+ssh://host/session?proxy=netcat', 'does not find the socket of a session'],
    ['no_verify as a word', 'qemu+tls://host/system?no_verify=yes', 'no_verify=yes is not known; known are 0, 1'],
    ['an unknown way to verify', 'qemu+ssh://host/system?known_hosts_verify=maybe', 'known_hosts_verify=maybe is not known'],
    ['a password to be typed', 'qemu+ssh://host/system?sshauth=password', 'what a person would have to type'],
    ['an unknown way to log in', 'qemu+ssh://host/system?sshauth=gssapi', 'sshauth names gssapi'],
    ['priorities of GnuTLS', 'qemu+tls://host/system?tls_priority=NORMAL', 'tls_priority is in the language of GnuTLS'],
    ['an unknown authentication', 'qemu+tls://host/system?auth=magic', 'auth=magic is not known'],
    ['ext without a program', 'qemu+ext:///system', 'needs command='],
    ['a plain connection', 'qemu+tcp://host/system', 'sends everything in clear'],
    ['Kerberos', 'qemu+tls://host/system?auth=sasl.gssapi', 'GSSAPI'],
  ])('%s', (what, uri, sentence) => {
    const options = { credentials: what === 'Kerberos' ? { sasl: { username: 'u', password: 'p' } } : undefined }
    let message = ''
    expect(() => {
      try {
        targetOf(parseURI(uri), options)
      } catch (error) {
        message = (error as Error).message
        throw error
      }
    }).toThrow(expect.objectContaining({ name: 'UriError', message: expect.stringContaining(sentence) }))
    expect(message).not.toContain('hunter2')
  })
})

describe('what reaches into the machine of the controller', () => {
  test.each([
    ['command', 'qemu+ssh://host/system?command=/bin/sh'], ['netcat', 'qemu+ssh://host/system?netcat=nc'], ['keyfile', 'qemu+ssh://host/system?keyfile=/root/.ssh/id'],
    ['known_hosts', 'qemu+libssh://host/system?known_hosts=/root/.ssh/known_hosts'], ['pkipath', 'qemu+tls://host/system?pkipath=/etc/pki'],
    ['socket', 'qemu:///system?socket=/run/docker.sock'], ['socket', 'qemu:///system?%73ocket=/run/docker.sock'], ['command', 'qemu+ext:///system?command=/bin/sh'], ['the transport ext', 'qemu+ext:///system'],
    ['the file of the test driver', 'test:///etc/machines.xml'], ['the file of the test driver', 'test:///%2fetc%2fmachines.xml'],
  ])('%s is refused unless it is allowed: %s', (named, uri) => {
    expect(() => read(uri, false)).toThrow(expect.objectContaining({ name: 'UriError', reason: 'forbidden', message: expect.stringMatching(new RegExp(`^${named} makes the controller itself read files or run programs.*--allow-local-uris$`)) }))
    if (named !== 'the transport ext') expect(() => read(uri, true)).not.toThrow()
  })

  test.each(['qemu:///system', 'test:///default', 'test:///any-name', 'qemu:///session', 'qemu+ssh://root@host/system', 'qemu+tls://host/system?no_verify=1', 'qemu:///system?mode=direct', 'esx+unix:///?name=esx%3A%2F%2Froot%40host%2F'])('%s does not', (uri) => {
    expect(() => read(uri, false)).not.toThrow()
  })
})

describe('a URI as it is shown', () => {
  test.each([
    ['qemu+ssh://root@host/system', 'qemu+ssh://root@host/system'],
    ['qemu+ssh://root:hunter2@host/system', 'qemu+ssh://root:***@host/system'],
    ['esx+unix:///?socket=/s&name=esx%3A%2F%2Froot%3Ahunter2%40esx7%2F', 'esx+unix:///?socket=/s&name=esx%3A%2F%2Froot:***%40esx7%2F'],
    ['esx+unix:///?name=esx://root:hunter2@esx7/', 'esx+unix:///?name=esx://root:***@esx7/'],
    ['esx+unix:///?name=esx%3A%2F%2Froot%40esx7%2F', 'esx+unix:///?name=esx%3A%2F%2Froot%40esx7%2F'],
    ['xen+tcp://[fe80::1]:16509/', 'xen+tcp://[fe80::1]:16509/'],
  ])('%s', (uri, shown) => {
    expect(shownURI(uri)).toBe(shown)
  })
})
