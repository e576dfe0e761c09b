// The command that a connection over SSH runs on the host, in real shells with stand-ins for what a host may have; and the files that ssh reads.

import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anonymousFile } from '../../../drivers/remote/transport/anonymous.ts'
import { MARKER, remoteCommand, type RemoteCommand } from '../../../drivers/remote/transport/ssh.ts'
import { run } from '../../../scripts/run.ts'

let folder: string
let listening: Server
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vireo-ssh-command-'))
  listening = createServer()
  await new Promise<void>((resolve) => { listening.listen(join(folder, 'it is'), resolve) })
})
afterAll(async () => {
  listening.close()
  await rm(folder, { recursive: true })
})

let hosts = 0
/** Runs the command where there are just these programs, each a line of shell beside the usual ones of the system. */
const on = async (shell: readonly string[], command: Partial<RemoteCommand>, programs: Record<string, string>) => {
  const bin = join(folder, `host-${hosts++}`)
  await mkdir(bin)
  for (const [name, line] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`)
    await chmod(join(bin, name), 0o755)
  }
  for (const name of ['sh', 'printf', 'touch']) await writeFile(join(bin, name), `#!/bin/sh\nexec /bin/${name} "$@"\n`).then(() => chmod(join(bin, name), 0o755))
  const text = remoteCommand({ helperURI: 'qemu:///system', proxy: 'auto', readOnly: false, netcat: 'nc', sockets: [join(folder, 'it is')], ...command })
  return await run([...shell, '-c', text], { env: { PATH: bin, HOME: bin } })
}

const tellsArguments = `for word; do /bin/echo "<$word>"; done`
/** A netcat that tells its arguments, with this help. */
const netcat = (help = '-U use a unix socket'): string => `if [ "$1" = -h ]; then /bin/echo '${help}' >&2; exit 1; fi; ${tellsArguments}`
const shells = [['/bin/dash'], ['/bin/bash']]

describe.each(shells)('%s', (...shell: string[]) => {
  test('runs the helper where there is one, after the marker', async () => {
    expect(await on(shell, {}, { 'virt-ssh-helper': tellsArguments, 'nc': 'exit 9' })).toMatchObject({ code: 0, stdout: `${MARKER}\n<qemu:///system>\n` })
  })

  test('asks the helper for less, where less is wanted', async () => {
    expect((await on(shell, { readOnly: true }, { 'virt-ssh-helper': tellsArguments })).stdout).toBe(`${MARKER}\n<-r>\n<qemu:///system>\n`)
  })

  test('hands on what would mean something to a shell as it is', async () => {
    const nasty = `qemu:///it's?a="$(touch ${folder}/injected)" \`id\`;*!!\\&|<>`
    expect((await on(shell, { helperURI: nasty }, { 'virt-ssh-helper': tellsArguments })).stdout).toBe(`${MARKER}\n<${nasty}>\n`)
    expect(await readdir(folder)).not.toContain('injected')
  })

  test('runs netcat at the first socket that is there, where there is no helper', async () => {
    expect((await on(shell, { sockets: ['/nowhere/libvirt-sock', join(folder, 'it is')] }, { nc: netcat() })).stdout).toBe(`${MARKER}\n<-U>\n<${join(folder, 'it is')}>\n`)
  })

  test('tells a netcat that can to end with its input', async () => {
    expect((await on(shell, {}, { nc: netcat('-q secs quit after EOF, -U use a unix socket') })).stdout).toBe(`${MARKER}\n<-q0>\n<-U>\n<${join(folder, 'it is')}>\n`)
  })

  test('runs netcat although there is a helper, where netcat is asked for', async () => {
    expect((await on(shell, { proxy: 'netcat', netcat: 'ncat' }, { 'virt-ssh-helper': 'exit 9', 'ncat': netcat() })).stdout).toContain('<-U>')
  })

  test.each([
    ['the helper is asked for and missing', { proxy: 'native' }, { nc: 'exit 9' }, 'virt-ssh-helper is not installed there'],
    ['neither is there', {}, {}, 'neither virt-ssh-helper nor nc is installed there'],
    ['netcat knows no unix sockets', {}, { nc: netcat('-e run a program') }, 'nc there cannot open unix sockets, and virt-ssh-helper is not installed'],
    ['no socket is there', { sockets: ['/nowhere/a', '/nowhere/b'] }, { nc: netcat() }, 'no libvirt socket is there: /nowhere/a /nowhere/b'],
  ] as const)('says so when %s', async (_what, command, programs, sentence) => {
    const { code, stdout, stderr } = await on(shell, command, programs)
    expect([code === 0, stdout, stderr.trim()]).toEqual([false, '', sentence])
  })
})

test('a file without a name is read by a child at its path, by no other user, and is gone when closed', async () => {
  const file = await anonymousFile('the key')
  expect((await run(['sh', '-c', 'cat "$0"; stat -L -c " %a %h" "$0"', file.path])).stdout).toBe('the key 600 0\n')
  await file.close()
  await expect(readFile(file.path)).rejects.toThrow(/ENOENT/)
})
