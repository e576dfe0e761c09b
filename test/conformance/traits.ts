// The traits of libvirt's drivers, and how their daemon is started.

import type { OpenOptions } from '../../drivers/driver.ts'
import { ErrorNumber } from '../../drivers/errors.ts'
import { createRegistry } from '../../drivers/registry.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { Stage, Traits } from './subject.ts'

export const settings: OpenOptions = { callTimeout: 60_000, keepAliveInterval: 5000, keepAliveCount: 5 }

/** QEMU's driver with the network and storage drivers beside it. */
export const likeQEMU: Omit<Traits, 'guestsObey'> = {
  wrongState: ErrorNumber.OPERATION_INVALID, startsPaused: true, tellsSteps: true, tellsReset: true, setsMemoryTwice: true, missesSave: true, readsNext: true, stopsOnce: true,
  undefinesRunning: true, ownsAddresses: true, hasFolders: true, volumeExists: { made: ErrorNumber.STORAGE_VOL_EXIST, copied: ErrorNumber.INTERNAL_ERROR },
}

/** libvirt's own test driver, 9.0. */
export const libvirtTest: Traits = {
  wrongState: ErrorNumber.INTERNAL_ERROR, startsPaused: false, tellsSteps: false, tellsReset: false, guestsObey: true, setsMemoryTwice: false, missesSave: false, readsNext: false, stopsOnce: false,
  undefinesRunning: false, ownsAddresses: false, hasFolders: false, volumeExists: { made: ErrorNumber.OPERATION_FAILED, copied: ErrorNumber.OPERATION_FAILED },
}

/** A libvirtd of its own, whose guests' firmware halts. */
export async function daemon(uri: string): Promise<Stage> {
  const host = await startLibvirtd({ name: 'conformance', halting: true })
  return { open: async () => await createRegistry().open(host.uri(uri), settings), [Symbol.asyncDispose]: async () => await host.stop() }
}
