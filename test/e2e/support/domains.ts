// Manifests of domains for end-to-end tests, as cheap as the point of a test allows.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildGuestImage } from '../../support/guest.ts'
import { condition } from './stage.ts'
import type { AnyObject, Condition, Stage } from './stage.ts'

type Json = Record<string, unknown>

const manifest = (kind: string, metadata: Json, spec: Json): string => `---\n${JSON.stringify({ apiVersion: 'vireo.dev/v1alpha1', kind, metadata, spec })}\n`

export const hypervisor = (policy: Json = {}): string => manifest('Hypervisor', { name: 'local' }, { uri: 'qemu:///system', default: true, policy })
export const domain = (name: string, spec: Json, metadata: Json = {}): string => manifest('VirtualDomain', { name, ...metadata }, spec)
export const object = manifest

export const noDevices = { serialConsole: 'Disabled', guestAgent: 'Disabled', rng: 'Disabled', memballoon: 'Disabled' }

/** A guest that runs and does nothing: its BIOS finds nothing to boot, and it hears no request to shut down. */
export const idle = { cpus: 1, memory: '32Mi', os: { machine: 'pc' }, defaultDevices: noDevices, shutdown: { gracePeriod: '1s' } }

/** Puts the test guest's kernel where `booting` looks for it. */
export async function provideKernel(stage: Stage): Promise<void> {
  const image = await buildGuestImage()
  await copyFile(image.kernel, join(stage.host.root, 'var/lib/vireo/vmlinuz'))
  await copyFile(image.initrd, join(stage.host.root, 'var/lib/vireo/initrd'))
  await copyFile(image.agentInitrd, join(stage.host.root, 'var/lib/vireo/initrd-agent'))
}

/** A guest that boots Linux, obeys the power button, and then does what `wish` says (poweroff, reboot, crash or nothing). */
export const booting = (wish = '', extra = ''): Json => ({
  cpus: 1,
  memory: '128Mi',
  os: {
    machine: 'pc',
    kernelBoot: {
      kernel: { path: '/var/lib/vireo/vmlinuz' }, initrd: { path: '/var/lib/vireo/initrd' },
      cmdline: `console=ttyS0 loglevel=4 mitigations=off nokaslr lsm= audit=0 tsc=reliable no_timer_check cryptomgr.notests ${wish === '' ? '' : `vireo-test=${wish}`} ${extra}`.trim(),
    },
  },
  defaultDevices: { guestAgent: 'Disabled', rng: 'Disabled' },
})

export const isTrue = (found: AnyObject, type: string): boolean => condition(found, type)?.status === 'True'
export const ready = (found: AnyObject): Condition => condition(found, 'Ready')!

export interface KubeEvent { reason: string; message: string; count?: number; series?: { count: number } }

/** How often an Event of this reason was recorded for a domain. */
export async function countEvents(stage: Stage, name: string, reason: string, message = /./): Promise<number> {
  const list = JSON.parse(await stage.kubectl(['get', 'events.events.k8s.io', '-A', '-o', 'json'])) as { items: { reason: string; note?: string; regarding?: { name: string }; series?: { count: number }; deprecatedCount?: number }[] }
  return list.items
    .filter(event => event.reason === reason && event.regarding?.name === name && message.test(event.note ?? ''))
    .reduce((sum, event) => sum + Math.max(event.series?.count ?? 1, event.deprecatedCount ?? 1), 0)
}

/** Changes a domain by a merge patch. */
export async function patch(stage: Stage, name: string, body: Json, namespace = 'default'): Promise<void> {
  await stage.kubectl(['patch', 'virtualdomain', name, '-n', namespace, '--type=merge', '-p', JSON.stringify(body)])
}
export const patchSpec = async (stage: Stage, name: string, spec: Json, namespace?: string): Promise<void> => { await patch(stage, name, { spec }, namespace) }
export const annotate = async (stage: Stage, name: string, annotations: Record<string, string | null>, namespace?: string): Promise<void> => { await patch(stage, name, { metadata: { annotations } }, namespace) }

/** The whole next configuration with its secrets. */
export const inactiveXml = async (stage: Stage, name: string): Promise<string> => await stage.virsh('dumpxml', '--inactive', '--security-info', name)
export const liveXml = async (stage: Stage, name: string): Promise<string> => await stage.virsh('dumpxml', '--security-info', name)
export const powerOf = async (stage: Stage, name: string): Promise<string> => (await stage.virsh('domstate', '--reason', name)).trim()
