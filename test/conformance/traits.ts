// The traits of libvirt's drivers, and how their daemon is started.

import { DomainState, type OpenOptions } from '../../drivers/driver.ts'
import { ErrorNumber } from '../../drivers/errors.ts'
import { createRegistry } from '../../drivers/registry.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { Stage, Traits } from './subject.ts'

export const settings: OpenOptions = { callTimeout: 60_000, keepAliveInterval: 5000, keepAliveCount: 5 }

/** QEMU's driver with the network and storage drivers beside it. */
export const likeQEMU: Omit<Traits, 'guestsObey'> = {
  wrongState: ErrorNumber.OPERATION_INVALID, startsPaused: true, tellsSteps: true, tellsReset: true, setsMemoryTwice: true, missesSave: true, keepsNext: true, stopsOnce: true,
  autostartNeedsConfig: true, power: {},
  undefinesRunning: true, ownsAddresses: true, hasFolders: true, volumeExists: { made: ErrorNumber.STORAGE_VOL_EXIST, copied: ErrorNumber.INTERNAL_ERROR },
}

/** libvirt's own test driver, 9.0: a paused guest obeys, a reboot lets it run, and a transient domain is undefined without a word. */
export const libvirtTest: Traits = {
  power: {
    paused: { suspend: { refused: ErrorNumber.INTERNAL_ERROR }, shutdown: { state: [DomainState.Shutoff, 1], events: [[5, 0]] }, reboot: { state: [DomainState.Running, 1], events: [] } },
    transient: { undefine: { state: [DomainState.Running, 1], events: [[1, 0]] } },
    'transient and paused': {
      suspend: { refused: ErrorNumber.INTERNAL_ERROR }, shutdown: { state: 'gone', events: [[5, 0]] }, reboot: { state: [DomainState.Running, 1], events: [] }, undefine: { state: [DomainState.Paused, 1], events: [[1, 0]] },
    },
  },
  wrongState: ErrorNumber.INTERNAL_ERROR, startsPaused: false, tellsSteps: false, tellsReset: false, guestsObey: true, setsMemoryTwice: false, missesSave: false, keepsNext: false, stopsOnce: false,
  autostartNeedsConfig: false,
  undefinesRunning: false, ownsAddresses: false, hasFolders: false, volumeExists: { made: ErrorNumber.OPERATION_FAILED, copied: ErrorNumber.OPERATION_FAILED },
}

/** A libvirtd of its own, whose guests' firmware halts. */
export async function daemon(uri: string): Promise<Stage> {
  const host = await startLibvirtd({ name: 'conformance', halting: true })
  return { open: async options => await createRegistry({}, { allowLocal: true }).open(host.uri(uri), { ...settings, ...options }), [Symbol.asyncDispose]: async () => await host.stop() }
}
