// vireo dev: a development control plane and the controller on it, in the foreground; what `npm run dev` runs in a checkout.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ControlPlane, startControlPlane } from '../scripts/devcluster/controlplane.ts'
import { localLibvirt, onPath } from './local.ts'
import { say } from './say.ts'
import { stopSignal } from './signals.ts'

export interface DevFlags { data: string; healthAddress: string; logLevel: string }

const checkout = join(import.meta.dirname, '..')

export async function runDev(flags: DevFlags): Promise<void> {
  const signal = stopSignal()
  const dir = resolve(checkout, flags.data)
  await mkdir(dir, { recursive: true })
  say('Starting the development control plane (etcd, kube-apiserver, kube-controller-manager) …')
  const plane = await startControlPlane({ dir: join(dir, 'controlplane'), say })
  try {
    const kubeconfig = join(dir, 'kubeconfig')
    await copyFile(plane.kubeconfig, kubeconfig)
    await install(plane)
    await tellNext(kubeconfig, plane.kubectlProgram, dir)
    await runControllerProcess(kubeconfig, flags, signal, plane)
  } finally {
    await plane.stop()
    say('Stopped. The next npm run dev finds everything as it was.')
  }
}

async function kubectl(plane: ControlPlane, args: string[], input?: string): Promise<string> {
  const result = await plane.kubectl(args, input)
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim()}`)
  return result.stdout
}

/** CRDs, and the namespace that holds the controller's Lease. */
async function install(plane: ControlPlane): Promise<void> {
  await kubectl(plane, ['apply', '--server-side', '--force-conflicts', '-f', join(checkout, 'manifests/crds')])
  await kubectl(plane, ['wait', '--for=condition=Established', '--timeout=60s', '-f', join(checkout, 'manifests/crds')])
  await kubectl(plane, ['apply', '-f', '-'], 'apiVersion: v1\nkind: Namespace\nmetadata: {name: vireo-system}\n')
}

async function tellNext(kubeconfig: string, ownKubectl: string, dir: string): Promise<void> {
  const command = await onPath('kubectl') ? 'kubectl' : join(relative(process.cwd(), dir) || '.', 'kubectl')
  if (command !== 'kubectl') await writeFile(join(dir, 'kubectl'), `#!/bin/sh\nexec ${ownKubectl} "$@"\n`, { mode: 0o755 })
  const samples = (await readdir(join(checkout, 'manifests/samples'))).length
  say()
  say('vireo runs. In another terminal, type:')
  say()
  say(`  export KUBECONFIG=${kubeconfig}`)
  say(`  ${command} apply -f manifests/samples/      # ${samples} objects: a host, a pool, an image, a disk, a network, a VM`)
  say(`  ${command} get virt -o wide`)
  say(`  ${command} wait --for=condition=Ready virtualdomain/web --timeout=10m`)
  say()
  if (!await localLibvirt()) {
    say('No libvirtd answers on this machine (no socket in /run/libvirt), so qemu:///system of the samples will wait for one.')
    say('On Debian and Ubuntu:  apt-get install libvirt-daemon-system qemu-system-x86 qemu-utils dnsmasq-base')
    say('                       systemctl start libvirtd        (without systemd: virtlogd -d && libvirtd -d)')
    say()
  }
}

async function runControllerProcess(kubeconfig: string, flags: DevFlags, signal: AbortSignal, plane: ControlPlane): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'vireo.ts'), 'controller', '--kubeconfig', kubeconfig, '--allow-local-uris', '--health-address', flags.healthAddress, '--log-level', flags.logLevel], { stdio: 'inherit' })
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  // Ctrl-C reaches the child too; a signal to this process alone is passed on.
  signal.addEventListener('abort', () => { child.kill('SIGTERM') })
  const code = await Promise.race([ended, plane.failure.catch((error: unknown) => { child.kill('SIGTERM'); throw error })])
  await Promise.race([ended, sleep(15_000, undefined, { ref: false })])
  if (!signal.aborted) throw new Error(`the controller ended by itself (exit code ${code})`)
}

