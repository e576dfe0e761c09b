// Makes a private host one for Linux containers (libvirt's LXC driver), and containers of busybox for it.
import { chmod, copyFile, mkdir, readdir, readFile, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Connection, DomainRef } from '../../../drivers/driver.ts'
import type { HostExtension, PrivateLibvirtd } from '../libvirtd.ts'
import { installBusybox } from '../linux.ts'
import { until } from '../until.ts'

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
  for (const folder of ['dev', 'etc', 'proc', 'run', 'sys']) await mkdir(join(root, folder), { recursive: true })
  await installBusybox(join(root, 'bin'))
  for (const [source, target] of [['rc.sh', 'rc'], ['lease.sh', 'lease']] as const) {
    await copyFile(join(sources, source), join(root, 'etc', target))
    await chmod(join(root, 'etc', target), 0o755)
  }
  // A shell as the first process may miss a signal; this one is made for it, and passes it on to the script.
  await copyFile('/usr/bin/tini-static', join(root, 'bin/tini'))
  return `/var/lib/vireo/${name}`
}

/** The programs of such a root file system: what `<os>` of a container says. */
export const containerInit = '<init>/bin/tini</init><initarg>/etc/rc</initarg>'

/**
 * Starts a defined container so that libvirt knows its first process, which signals and live interfaces need. libvirt now and
 * then loses the message that names it (one of its threads reads before the other has said who is to hear it), and then never
 * learns: such a container is cut off and started anew.
 */
export async function startContainer(host: PrivateLibvirtd, connection: Connection, dom: DomainRef): Promise<void> {
  for (;;) {
    await connection.domainCreateWithFlags(dom, 0)
    const known = await until(`libvirt knows the first process of ${dom.name}`, async () =>
      /<init pid='[1-9]/.test(await readFile(join(host.folder, 'run/lxc', `${dom.name}.xml`), 'utf8')), { timeoutMs: 2_000 }).catch(() => false)
    if (known) return
    await connection.domainDestroyFlags(dom, 0)
  }
}

export interface ContainerOptions { uuid?: string; devices?: string; memoryMiB?: number }

/** The container never shares the host's network: without an interface it has a network of its own. */
export const containerXML = (name: string, root: string, { uuid, devices = '', memoryMiB = 64 }: ContainerOptions = {}): string => `<domain type='lxc'><name>${name}</name>
  ${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<memory unit='MiB'>${memoryMiB}</memory><vcpu>1</vcpu><os><type>exe</type>${containerInit}</os><features><privnet/></features>
  <devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/>${devices}</devices></domain>`
