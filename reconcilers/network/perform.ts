// Carries out a network's actions: a few driver calls each.

import { Affect, type NetworkRef } from '../../drivers/driver.ts'
import { ErrorNumber, LibvirtError, isAbsent } from '../../drivers/errors.ts'
import { Refusal } from '../plan.ts'
import type { NetworkAction, NetworkInputs } from './inputs.ts'

export async function performNetwork(action: NetworkAction, inputs: NetworkInputs): Promise<void> {
  const connection = inputs.bound.host.use()
  const ref: NetworkRef = { name: inputs.binding.name, uuid: inputs.binding.uuid }
  switch (action.type) {
    case 'LookedUp':
      // The loop reads the network after every action; that read is the answer.
      return
    case 'Defined':
      await (namesBridge(action.xml) ? connection.networkDefineXML(action.xml) : oneByOne(inputs, () => connection.networkDefineXML(action.xml))).catch(clash(inputs))
      return
    case 'Released':
      await connection.networkDefineXML(action.xml)
      return
    case 'Updated':
      // One after the other: replies are unordered, and an address must be free before another entry takes it.
      for (const { command, section, parentIndex, xml } of action.updates) await connection.networkUpdate(ref, command, section, parentIndex, xml, Affect.LIVE)
      return
    case 'Recreated':
      // A configuration that is refused must cut nobody off: it is defined before the network is stopped, where the host can.
      if (!action.defineStopped) await connection.networkDefineXML(action.xml)
      await connection.networkDestroy(ref)
      if (action.defineStopped) await connection.networkDefineXML(action.xml)
      await connection.networkCreate(ref)
      return
    case 'AutostartSet':
      await connection.networkSetAutostart(ref, action.autostart)
      return
    case 'Started':
      await connection.networkCreate(ref)
      return
    case 'Stopped':
      await connection.networkDestroy(ref)
      return
    case 'Undefined':
      await connection.networkUndefine(ref).catch((error: unknown) => { if (!isAbsent(error, 'network')) throw error })
  }
}

const namesBridge = (xml: string): boolean => /<bridge [^>]*\bname=/.test(xml)

/** The last define of each host, by its UUID. */
const defining = new Map<string, Promise<void>>()

/** libvirt chooses a free bridge name without a lock: of two networks that are defined at once one gets the other's, and never starts. */
async function oneByOne({ bound: { name, host } }: NetworkInputs, define: () => Promise<unknown>): Promise<void> {
  const key = host.facts?.hostUUID ?? name
  const before = defining.get(key)
  const mine = (async () => {
    await before?.catch(() => undefined)
    await define()
  })()
  defining.set(key, mine)
  try {
    await mine
  } finally {
    if (defining.get(key) === mine) defining.delete(key)
  }
}

/** A network that came between the look and the define: libvirt names it in its refusal. */
const clash = ({ observed, bound, binding }: NetworkInputs) => (error: unknown): never => {
  if (observed === undefined && error instanceof LibvirtError && error.code === ErrorNumber.OPERATION_FAILED && /already (exists|defined)/.test(error.message)) {
    throw new Refusal('Conflict', `Another network named ${binding.name} came to Hypervisor ${bound.name} just now: ${error.message}. It is left untouched. Choose another spec.name, or take it over with adoptionPolicy: IfUnchanged or Always.`)
  }
  throw error
}
