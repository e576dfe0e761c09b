// What this machine has: a libvirt daemon that answers, programs on the PATH.

import { access } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { socketPaths } from '../drivers/targets.ts'
import { parseURI } from '../drivers/uri.ts'

/** True where a libvirtd takes a connection on this machine. */
export async function localLibvirt(): Promise<boolean> {
  for (const path of socketPaths(parseURI('qemu:///system'))) if (await answers(path)) return true
  return false
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.setTimeout(2_000, () => { resolve(false); socket.destroy() })
  socket.once('connect', () => { resolve(true); socket.destroy() })
  socket.once('error', () => { resolve(false) })
  return promise
}

/** npm's own folders of programs do not count: they are not there in a person's shell. */
export async function onPath(program: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    if (folder !== '' && !folder.endsWith('node_modules/.bin') && await access(join(folder, program)).then(() => true, () => false)) return true
  }
  return false
}
