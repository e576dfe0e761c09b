// Reads a guest's serial console from its pseudo-terminal, as a person with `virsh console` would.
import { spawn } from 'node:child_process'
import type { PrivateLibvirtd } from './libvirtd.ts'
import { until } from './until.ts'

export interface GuestConsole extends AsyncDisposable {
  /** What the guest has printed since the console was opened. */
  text(): string
  /** Resolves with the match once the guest prints it. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  close(): Promise<void>
}

/** Opens the console of a running domain; what it printed before is lost. */
export async function openGuestConsole(host: PrivateLibvirtd, domain: string): Promise<GuestConsole> {
  const terminal = (await host.execOk(['virsh', '-c', 'qemu:///system', 'ttyconsole', domain])).trim()
  const [program, ...args] = host.enter(['cat', terminal])
  const reader = spawn(program ?? '', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<void>(resolve => {
    reader.once('close', () => resolve())
    reader.once('error', () => resolve())
  })
  let text = ''
  reader.stdout.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const close = async (): Promise<void> => {
    reader.kill('SIGKILL')
    await ended
  }
  return {
    text: () => text,
    waitFor: (pattern, timeoutMs = 60_000) => until(`the guest ${domain} prints ${pattern}`, () => pattern.exec(text), { timeoutMs }),
    close,
    [Symbol.asyncDispose]: close,
  }
}
