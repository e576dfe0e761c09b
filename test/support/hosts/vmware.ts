// Makes a private host one for VMware Player, Workstation and Fusion: libvirt's driver is real, the hypervisor behind it is a
// program that keeps files.
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostExtension, PrivateLibvirtd } from '../libvirtd.ts'

const sources = join(import.meta.dirname, 'vmware')

/** The URIs are `vmwareplayer:///session`, `vmwarews:///session` and `vmwarefusion:///session`. */
export const vmware: HostExtension = {
  setup: join(sources, 'vmware.sh'),
  prepare: folder => cp(join(sources, 'bin'), join(folder, 'vmware'), { recursive: true }),
  launcher: ['sh', '-c', 'PATH=/opt/vmware:$PATH exec "$@"', 'sh'],
}

/** Makes a disk on the host; answers its path there. libvirt keeps a machine's configuration beside its first disk. */
export async function vmwareDisk(host: PrivateLibvirtd, name: string): Promise<string> {
  const folder = join(host.root, 'var/lib/vireo', name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name}.vmdk`), '')
  return `/var/lib/vireo/${name}/${name}.vmdk`
}

export const machineXML = (name: string, uuid: string, disk: string): string => `<domain type='vmware'><name>${name}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>
  <devices><disk type='file' device='disk'><source file='${disk}'/><target dev='sda' bus='scsi'/></disk></devices></domain>`
