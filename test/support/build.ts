// Builds, once into the cache, everything that the suites start, for a run of all of them; a suite that runs alone builds what it needs.
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { buildClients } from './clients/index.ts'
import { buildGuestImage } from './guest.ts'
import { buildEsxsim } from './hosts/esx.ts'
import { buildXenImage } from './hosts/xen-image.ts'

/** What is fetched, and machines that boot, wait for the network and for time: they go beside the compiler, which waits for neither. */
export async function buildEverything(say: (line: string) => void): Promise<void> {
  await Promise.all([buildPrograms(say), buildMachines(say)])
}

async function buildPrograms(say: (line: string) => void): Promise<void> {
  await controlPlanePrograms(say)
  await buildClients(say)
  await buildEsxsim(say)
}

async function buildMachines(say: (line: string) => void): Promise<void> {
  await buildGuestImage()
  await buildXenImage(say)
}
