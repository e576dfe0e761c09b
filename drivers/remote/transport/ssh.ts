// Carries the bytes over the system's OpenSSH as a child process, so that the user's own configuration works: aliases, jumps, agents.
//
// On the host runs libvirt's virt-ssh-helper, or netcat at the daemon's socket where there is no helper.

import type { SSHCredentials } from '../../credentials.ts'
import { AuthenticationFailed } from '../../errors.ts'
import { anonymousFile, type AnonymousFile } from './anonymous.ts'
import { childTransport, lastWords, type Ended } from './child.ts'
import { addressText } from './tcp.ts'
import type { Transport } from './transport.ts'

export interface SSHOptions {
  host: string
  port: number | null
  user: string | null
  /** The program in place of `ssh`. */
  program?: string
  /** A private key's path. */
  keyfile?: string
  /** The path of a known_hosts file. */
  knownHosts?: string
  /** normal: only known host keys; auto: also those of hosts never met; ignore: any. Without it, as the user's configuration says. */
  verify?: 'normal' | 'auto' | 'ignore'
  /** Where this side's keys may come from; without it, as the user's configuration says. */
  keysFrom?: ('agent' | 'privkey')[]
  credentials?: SSHCredentials
  remote: RemoteCommand
}

export interface RemoteCommand {
  /** What virt-ssh-helper is to connect to: `qemu:///system`. */
  helperURI: string
  /** auto: the helper, else netcat; native: only the helper; netcat: only netcat. */
  proxy: 'auto' | 'native' | 'netcat'
  readOnly: boolean
  netcat: string
  /** The daemon's sockets for netcat, the preferred one first. */
  sockets: readonly string[]
}

/** The last line before the daemon's bytes. */
export const MARKER = 'vireo: libvirt follows'

/** Arguments: proxy, the helper's option, its URI, netcat, sockets. Netcats differ in whether they end with their input by themselves. One line, for csh. */
const script = [
  'proxy=$1; option=$2; uri=$3; nc=$4; shift 4',
  `if [ "$proxy" != netcat ] && command -v virt-ssh-helper >/dev/null 2>&1; then echo "${MARKER}"; exec virt-ssh-helper $option "$uri"; fi`,
  'if [ "$proxy" = native ]; then echo "virt-ssh-helper is not installed there" >&2; exit 127; fi',
  'if ! command -v "$nc" >/dev/null 2>&1; then echo "neither virt-ssh-helper nor $nc is installed there" >&2; exit 127; fi',
  'help=$("$nc" -h 2>&1)',
  'case "$help" in *-U*) ;; *) echo "$nc there cannot open unix sockets, and virt-ssh-helper is not installed" >&2; exit 127;; esac',
  'quit=; case "$help" in *"-q "*) quit="-q0";; esac',
  `for socket; do if [ -S "$socket" ]; then echo "${MARKER}"; exec "$nc" $quit -U "$socket"; fi; done`,
  'echo "no libvirt socket is there: $*" >&2; exit 111',
].join('; ')

/** One word for any login shell. */
const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

/** What the login shell on the host is to run; nothing in it is read by a shell as more than one word. */
export const remoteCommand = ({ proxy, readOnly, helperURI, netcat, sockets }: RemoteCommand): string =>
  ['sh', '-c', script, 'vireo', proxy, readOnly ? '-r' : '', helperURI, netcat, ...sockets].map((word, i) => (i < 2 ? word : quoted(word))).join(' ')

/** ssh reads a path in an option as a list of words with escapes and placeholders. */
const optionPath = (path: string): string => `"${path.replaceAll('%', '%%')}"`

/** ssh's arguments. `files` are the Secret's, in place of the user's own. */
export const sshArguments = (options: SSHOptions, files: { key?: string; knownHosts?: string } = {}): string[] => {
  const { host, port, user, keyfile, knownHosts, verify, keysFrom, remote } = options
  const set: string[] = [
    // Nobody is there to answer questions, and the connection is ours alone.
    'BatchMode=yes', 'LogLevel=ERROR', 'RequestTTY=no', 'RemoteCommand=none', 'ClearAllForwardings=yes', 'PermitLocalCommand=no', 'ControlMaster=no',
  ]
  const identity = files.key ?? keyfile
  const fromAgent = files.key === undefined && (keysFrom === undefined || keysFrom.includes('agent'))
  const fromFiles = identity !== undefined || keysFrom === undefined || keysFrom.includes('privkey')
  if (!fromAgent) set.push('IdentityAgent=none')
  if (!fromFiles) set.push('IdentityFile=none')
  // Keys that were not asked for use up the host's patience.
  if (identity !== undefined) set.push('IdentitiesOnly=yes')
  if (identity !== undefined || keysFrom !== undefined) set.push('PreferredAuthentications=publickey')
  if (files.knownHosts !== undefined) set.push(`UserKnownHostsFile=${optionPath(files.knownHosts)}`, 'GlobalKnownHostsFile=none', 'UpdateHostKeys=no')
  else if (knownHosts !== undefined) set.push(`UserKnownHostsFile=${optionPath(knownHosts)}`)
  const checking = files.knownHosts !== undefined ? 'yes' : verify === undefined ? undefined : { normal: 'yes', auto: 'accept-new', ignore: 'no' }[verify]
  if (checking !== undefined) set.push(`StrictHostKeyChecking=${checking}`)
  if (checking === 'no') set.push('UserKnownHostsFile=/dev/null', 'GlobalKnownHostsFile=none')
  return [
    ...set.flatMap((option) => ['-o', option]),
    ...(identity === undefined ? [] : ['-i', identity]),
    ...(port === null ? [] : ['-p', String(port)]),
    ...(user === null ? [] : ['-l', user]),
    '--', host, remoteCommand(remote),
  ]
}

/** What ssh says, as a sentence that says what to do. */
const explain = (host: string) => ({ code, signal, said }: Ended): Error => {
  const words = lastWords(said)
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(said)) return new AuthenticationFailed(`${host} shows another host key than the one that is known: somebody may be in between; if the host was replaced on purpose, replace its line in known_hosts`)
  if (/Host key verification failed|host key is known/.test(said)) return new AuthenticationFailed(`the host key of ${host} is not known: put it into known_hosts (ssh-keyscan ${host} prints it; compare it with the host’s own)`)
  if (/Permission denied|Too many authentication failures/.test(said)) return new AuthenticationFailed(`${host} refuses every key of this side: put the public key into authorized_keys of the user there (${words})`)
  if (/error in libcrypto|invalid format|incorrect passphrase/.test(said)) return new AuthenticationFailed('ssh cannot read the private key: give an OpenSSH or PEM key without a passphrase')
  return new Error(words === '' ? `ssh ended ${signal === null ? `with code ${code}` : `by ${signal}`}` : words)
}

export const sshTransport = (options: SSHOptions): Transport => {
  const { host, port, user, program = 'ssh', credentials } = options
  const address = port === null ? host : addressText({ host, port })
  return childTransport({
    peer: `${user === null ? '' : `${user}@`}${address} by ssh`,
    marker: MARKER,
    explain: explain(host),
    command: async () => {
      const files: AnonymousFile[] = []
      const kept = async (content: string | undefined): Promise<string | undefined> => {
        if (content === undefined) return undefined
        files.push(await anonymousFile(content))
        return files.at(-1)!.path
      }
      // ssh reads no key whose last line has no end.
      const key = credentials?.privateKey
      const given = { key: await kept(key === undefined ? undefined : `${key.trimEnd()}\n`), knownHosts: await kept(credentials?.knownHosts) }
      return { file: program, args: sshArguments(options, given), dispose: async () => { await Promise.all(files.map((file) => file.close())) } }
    },
  })
}
