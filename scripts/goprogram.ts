// Builds a program from a Go module of this checkout, once, into the cache: keyed by the module's files.
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cache.ts'
import { findGo } from './go.ts'
import { runOk } from './run.ts'

export interface GoProgram {
  name: string
  /** The folder of its go.mod. */
  module: string
  /** The package to build; by default the module's own. */
  target?: string
  /** Linker flags beside those that leave out symbols. */
  ldflags?: string
  /** Hears what takes long. */
  say?: (line: string) => void
}

export const goEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' })

/** The path of the built program. Needs Go's module proxy only where the cache does not have it. */
export async function goProgram({ name, module, target = '.', ldflags = '', say = () => {} }: GoProgram): Promise<string> {
  const hash = createHash('sha256').update(target).update(ldflags)
  for (const file of (await readdir(module)).toSorted()) hash.update(file).update(await readFile(join(module, file)))
  const program = join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (await stat(program).catch(() => undefined) !== undefined) return program
  const go = await findGo(say)
  say(`building ${name} once into ${program}`)
  await mkdir(cacheFolder(), { recursive: true })
  const draft = `${program}.${randomUUID()}`
  try {
    await goBuild({ go, module, targets: [target], ldflags, output: draft })
    // Another run may build at the same time; the program appears whole.
    await rename(draft, program)
  } finally {
    await rm(draft, { force: true })
  }
  return program
}

export interface GoBuild { go: string; module: string; targets: readonly string[]; ldflags: string; output: string }

/** Always with the same flags: what Go compiled for one program then serves the next. Without debugging information, which nobody reads here, it compiles a tenth quicker. */
export async function goBuild({ go, module, targets, ldflags, output }: GoBuild): Promise<void> {
  await runOk([go, 'build', '-trimpath', '-gcflags=all=-dwarf=false', '-ldflags', `-s -w ${ldflags}`, '-o', output, ...targets], { cwd: module, env: goEnvironment() })
}
