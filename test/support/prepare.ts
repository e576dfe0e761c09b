// Runs once before the suites that need built things: builds what the cache lacks, and removes what a killed run left behind.
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { buildGuestImage } from './guest.ts'
import { removeCgroups } from './hosts/lxc.ts'
import { buildProgram } from './program.ts'

/** Answers what to do at the end. */
export async function setup(): Promise<() => Promise<void>> {
  await removeLeftovers()
  await controlPlanePrograms(line => console.log(line))
  await buildGuestImage()
  return await buildProgram()
}

/** A host's folder carries the process id of its owner. Its processes ended with that owner; the folder did not. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = /^vireo-.*-(\d+)-[^-]+$/.exec(name)?.[1]
    if (owner === undefined || isAlive(Number(owner))) continue
    await removeCgroups(name)
    await rm(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
