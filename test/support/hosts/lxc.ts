// Makes a private host one for Linux containers (libvirt's LXC driver), and containers of busybox for it.
import { chmod, copyFile, mkdir, readdir, rmdir, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runOk } from '../../../scripts/run.ts'
import { busybox } from '../guest.ts'
import type { HostExtension, PrivateLibvirtd } from '../libvirtd.ts'

const sources = join(import.meta.dirname, 'lxc')

/** Containers get cgroups of their own below one that is named like the host's folder. */
export const lxc: HostExtension = {
  setup: join(sources, 'lxc.sh'),
  launcher: ['sh', join(sources, 'libvirtd.sh')],
  ended: folder => removeCgroups(basename(folder)),
}

/** Removes the cgroups of a host that has ended; those of a host that runs are busy. */
export async function removeCgroups(name: string): Promise<void> {
  for (const hierarchy of await readdir('/sys/fs/cgroup')) await removeCgroup(join('/sys/fs/cgroup', hierarchy, name))
}

async function removeCgroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(path, entry.name))
  await rmdir(path)
}

/** Makes a root file system of busybox on the host; answers its path there. Its first process takes a lease on each interface. */
export async function containerRoot(host: PrivateLibvirtd, name: string): Promise<string> {
  const root = join(host.root, 'var/lib/vireo', name)
  for (const folder of ['bin', 'dev', 'proc', 'run', 'sys']) await mkdir(join(root, folder), { recursive: true })
  await copyFile(await busybox(), join(root, 'bin/busybox'))
  for (const applet of (await runOk([join(root, 'bin/busybox'), '--list'])).trim().split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet))
  }
  for (const [source, target] of [['init.sh', 'init'], ['lease.sh', 'lease']] as const) {
    await copyFile(join(sources, source), join(root, target))
    await chmod(join(root, target), 0o755)
  }
  return `/var/lib/vireo/${name}`
}

export interface ContainerOptions { uuid?: string; devices?: string; memoryMiB?: number }

/** The container never shares the host's network: without an interface it has a network of its own. */
export const containerXML = (name: string, root: string, { uuid, devices = '', memoryMiB = 64 }: ContainerOptions = {}): string => `<domain type='lxc'><name>${name}</name>
  ${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<memory unit='MiB'>${memoryMiB}</memory><vcpu>1</vcpu><os><type>exe</type><init>/init</init></os><features><privnet/></features>
  <devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/>${devices}</devices></domain>`
