// Programs of other projects that people use on a cluster, built once into the cache. Those of today share a Go module, newest/, so that
// what they have in common is compiled once.
import { createHash, randomUUID } from 'node:crypto'
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../../../scripts/cache.ts'
import { findGo } from '../../../scripts/go.ts'
import { goEnvironment, goProgram } from '../../../scripts/goprogram.ts'
import { runOk } from '../../../scripts/run.ts'

type Say = (line: string) => void

const here = import.meta.dirname
const newest = join(here, 'newest')
const stamp = 'k8s.io/component-base/version'

const kubectlModules = { '1.35': join(here, 'kubectl-1.35'), '1.37': newest }
type Minor = keyof typeof kubectlModules
/** Minors beside the control plane's own. */
export const otherKubectls = Object.keys(kubectlModules) as Minor[]

/** kubectl of a minor older or newer than the control plane's. */
export async function kubectlOf(minor: Minor, say?: Say): Promise<string> {
  const module = kubectlModules[minor]
  const patch = new RegExp(String.raw`k8s\.io/kubectl v0\.${minor.slice(2)}\.(\d+)`).exec(await readFile(join(module, 'go.mod'), 'utf8'))![1]
  return await goProgram({ name: `kubectl-${minor}`, module, ldflags: `-X ${stamp}.gitVersion=v${minor}.${patch} -X ${stamp}.gitMajor=1 -X ${stamp}.gitMinor=${minor.slice(2)}`, say })
}

export const helm = (say?: Say): Promise<string> => goProgram({ name: 'helm', module: newest, target: 'helm.sh/helm/v4/cmd/helm', say })

/** Flux's controller that applies what a source holds. */
export const kustomizeController = (say?: Say): Promise<string> => goProgram({ name: 'kustomize-controller', module: newest, target: 'github.com/fluxcd/kustomize-controller', say })

/** The file that holds the definitions of the kinds that controller works with: its own, and those of its sources. */
export async function fluxDefinitions(say: Say = () => {}): Promise<string> {
  const module = await readFile(join(newest, 'go.mod'), 'utf8')
  const versionOf = (name: RegExp): string => name.exec(module)![1]!
  const sources = ['gitrepositories', 'ocirepositories', 'buckets', 'externalartifacts']
  const wanted = [
    { name: `github.com/fluxcd/kustomize-controller@${versionOf(/kustomize-controller (v\S+)/)}`, files: ['kustomize.toolkit.fluxcd.io_kustomizations.yaml'] },
    { name: `github.com/fluxcd/source-controller@${versionOf(/source-controller\/api (v\S+)/)}`, files: sources.map(plural => `source.toolkit.fluxcd.io_${plural}.yaml`) },
  ]
  const kept = join(cacheFolder(), `flux-definitions-${createHash('sha256').update(JSON.stringify(wanted)).digest('hex').slice(0, 16)}.yaml`)
  if (await stat(kept).catch(() => undefined) !== undefined) return kept
  const go = await findGo(say)
  const texts = await Promise.all(wanted.map(async ({ name, files }) => {
    const { Dir } = JSON.parse(await runOk([go, 'mod', 'download', '-json', name], { cwd: cacheFolder(), env: goEnvironment() })) as { Dir: string }
    return await Promise.all(files.map(file => readFile(join(Dir, 'config/crd/bases', file), 'utf8')))
  }))
  const draft = `${kept}.${randomUUID()}`
  await writeFile(draft, texts.flat().join('---\n'))
  await rename(draft, kept)
  return kept
}

/** Builds whatever the cache lacks of them. */
export async function buildClients(say: Say): Promise<void> {
  for (const minor of otherKubectls) await kubectlOf(minor, say)
  await helm(say)
  await kustomizeController(say)
  await fluxDefinitions(say)
}
