// Makes a private host one for OpenVZ: libvirt's driver is real, the hypervisor behind it is a pair of programs that keep files.
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostExtension } from '../libvirtd.ts'

const sources = join(import.meta.dirname, 'openvz')

/** The URI is `openvz:///system`. Nothing else than OpenVZ should be asked of such a host: its /proc shows no processes. */
export const openvz: HostExtension = {
  setup: join(sources, 'openvz.sh'),
  prepare: async (folder) => {
    await mkdir(join(folder, 'openvz/etc/vz/conf'), { recursive: true })
    await mkdir(join(folder, 'openvz/work'))
    await cp(join(sources, 'sbin'), join(folder, 'openvz/sbin'), { recursive: true })
  },
}

/** A container's name is its number. */
export const containerXML = (number: number, uuid: string): string => `<domain type='openvz'><name>${number}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type><init>/sbin/init</init></os>
  <devices><filesystem type='template'><source name='busybox'/><target dir='/'/></filesystem></devices></domain>`
