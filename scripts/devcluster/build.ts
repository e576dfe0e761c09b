// Builds the programs of the development control plane from Go modules, once, into the cache.
import { createHash, randomUUID } from 'node:crypto'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../cache.ts'
import { findGo } from '../go.ts'
import { goBuild } from '../goprogram.ts'

const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const
export type Program = typeof programs[number]

const module = import.meta.dirname

/**
 * The folder that holds etcd, kube-apiserver, kube-controller-manager and kubectl: `KUBEBUILDER_ASSETS` where it is set,
 * otherwise the cache, into which they are built first where they are missing (about nine minutes on two cores).
 */
export async function controlPlanePrograms(say: (line: string) => void = () => {}): Promise<string> {
  const given = process.env.KUBEBUILDER_ASSETS
  if (given) {
    const missing = await missingIn(given)
    if (missing.length > 0) throw new Error(`KUBEBUILDER_ASSETS is ${given}, which lacks ${missing.join(', ')}`)
    return given
  }
  const folder = join(cacheFolder(), `controlplane-${await modulesHash()}`)
  if ((await missingIn(folder)).length > 0) await build(folder, say)
  return folder
}

/** Whether `controlPlanePrograms` would answer at once. */
export async function controlPlaneIsBuilt(): Promise<boolean> {
  const folder = process.env.KUBEBUILDER_ASSETS || join(cacheFolder(), `controlplane-${await modulesHash()}`)
  return (await missingIn(folder)).length === 0
}

async function missingIn(folder: string): Promise<Program[]> {
  const found = await Promise.all(programs.map(program => access(join(folder, program)).then(() => true, () => false)))
  return programs.filter((_, index) => !found[index])
}

async function modulesHash(): Promise<string> {
  return createHash('sha256').update(await readFile(join(module, 'go.sum'))).digest('hex').slice(0, 16)
}

async function build(folder: string, say: (line: string) => void): Promise<void> {
  const go = await findGo(say)
  const version = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)/.exec(await readFile(join(module, 'go.mod'), 'utf8'))
  if (version === null) throw new Error('go.mod does not require k8s.io/kubernetes')
  const [, full, major, minor] = version
  say(`building the control plane (Kubernetes ${full}) once into ${folder}; this takes about nine minutes on two cores`)
  const draft = `${folder}.${randomUUID()}`
  await mkdir(draft, { recursive: true })
  try {
    const stamp = 'k8s.io/component-base/version'
    await goBuild({
      go,
      module,
      targets: ['go.etcd.io/etcd/server/v3', ...['kube-apiserver', 'kube-controller-manager', 'kubectl'].map(name => `k8s.io/kubernetes/cmd/${name}`)],
      ldflags: `-X ${stamp}.gitVersion=${full} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`,
      output: `${draft}/`,
    })
    await rename(join(draft, 'server'), join(draft, 'etcd'))
    // Another run may build at the same time; the folder appears whole.
    await rm(folder, { recursive: true, force: true })
    await rename(draft, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}
