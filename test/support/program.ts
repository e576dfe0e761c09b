// The program under test: as it is built and installed, where the setup of a suite built it, otherwise from the sources.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../scripts/build.ts'

/** What `node` is given to run vireo. */
export const vireo = (): string => process.env['VIREO_PROGRAM'] ?? join(import.meta.dirname, '../../cli/vireo.ts')

/** Builds it for all suites of this run. Answers how to take it away. */
export async function buildProgram(): Promise<() => Promise<void>> {
  if (process.env['VIREO_PROGRAM'] !== undefined) return () => Promise.resolve()
  const folder = await mkdtemp(join(tmpdir(), `vireo-program-${process.pid}-`))
  await build(join(folder, 'dist'))
  // Set before the suites' processes are started, which then have them too.
  process.env['VIREO_PROGRAM'] = join(folder, 'dist/vireo.js')
  process.env['NODE_COMPILE_CACHE'] = join(folder, 'compiled')
  return async () => {
    delete process.env['VIREO_PROGRAM']
    await rm(folder, { recursive: true, force: true })
  }
}
