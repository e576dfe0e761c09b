// A Xen host for tests: dom0, libvirtd and room for small paravirtual guests, in a machine of its own.
import { readFile } from 'node:fs/promises'
import type { Credentials } from '../../../drivers/credentials.ts'
import { buildXenImage, xenGuest } from './xen-image.ts'
import { bootXen, type XenMachine } from './xen-machine.ts'

export interface XenHost extends XenMachine {
  readonly uris: { tcp: string; tls: string }
  /** For the one over TLS. */
  readonly credentials: Credentials
}

/** Goes on where the image was kept: half a second. */
export async function startXenHost(): Promise<XenHost> {
  const image = await buildXenImage(line => console.log(line))
  const credentials: Credentials = { tls: JSON.parse(await readFile(image.tls!, 'utf8')) as Credentials['tls'] }
  const machine = await bootXen(image)
  try {
    await machine.answers(60_000)
  } catch (error) {
    await machine.stop()
    throw error
  }
  const { tcp, tls } = machine.ports
  return Object.assign(machine, { uris: { tcp: `xen+tcp://127.0.0.1:${tcp}/system`, tls: `xen+tls://127.0.0.1:${tls}/system` }, credentials })
}

/** A paravirtual guest that runs and obeys its host. */
export const guestXML = (name: string, uuid: string): string => `<domain type='xen'><name>${name}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>128</memory><vcpu>1</vcpu><os><type>linux</type><kernel>${xenGuest.kernel}</kernel><initrd>${xenGuest.initrd}</initrd>
  <cmdline>console=hvc0 quiet mitigations=off</cmdline></os><devices><console type='pty'/></devices></domain>`

/** The disk that the host has for one guest. */
export const guestDisk = `<disk type='file' device='disk'><driver name='phy' type='raw'/><source file='${xenGuest.disk}'/><target dev='xvda' bus='xen'/></disk>`
export const guestNic = `<interface type='bridge'><mac address='00:16:3e:00:00:01'/><source bridge='xenbr0'/></interface>`
