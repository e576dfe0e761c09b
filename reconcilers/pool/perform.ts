// Carries out a pool's actions: one driver call each.

import { DeleteFlags, type StoragePoolRef } from '../../drivers/driver.ts'
import { ErrorNumber, LibvirtError, isAbsent } from '../../drivers/errors.ts'
import { Refusal } from '../plan.ts'
import type { PoolAction, PoolInputs } from './inputs.ts'
import { folderLost } from './plan.ts'
import { targetPath } from './render.ts'

/** What the kind keeps in memory between the reconciles of one object. */
export interface PoolMemory {
  /** A first start failed for want of the pool's place. */
  missing(): void
  adopted(uuid: string): void
}

/** The place of a pool is missing (or cannot be opened): the daemon's own words tell which, its code is the same. */
const isMissing = (error: unknown, type: string | undefined): error is LibvirtError =>
  error instanceof LibvirtError && (error.code === ErrorNumber.SYSTEM_ERROR || type === 'logical')

export async function performPool(action: PoolAction, inputs: PoolInputs, memory: PoolMemory): Promise<void> {
  const connection = inputs.bound.host.use()
  const ref: StoragePoolRef = { name: inputs.binding.name, uuid: inputs.binding.uuid }
  switch (action.type) {
    case 'Adopted':
      memory.adopted(action.uuid)
      return
    case 'LookedUp':
      // The loop reads the pool after every action; that read is the answer.
      return
    case 'Defined':
      await connection.storagePoolDefineXML(action.xml).catch(clash(inputs))
      return
    case 'Built':
      await connection.storagePoolBuild(ref, action.flags)
      return
    case 'Started':
      try {
        await connection.storagePoolCreate(ref)
      } catch (error) {
        const path = targetPath(inputs.object.spec)
        if (action.otherwise === 'Refuse' || !isMissing(error, inputs.object.spec.logical ? 'logical' : undefined)) throw error
        if (action.otherwise === 'Lost') {
          const { standing, requeueAfter } = folderLost(path, error.message)
          throw new Refusal(standing.reason, standing.message, requeueAfter)
        }
        // What is about to be made is recorded with the object first, so that a restart knows who made it.
        memory.missing()
        throw new Refusal('Creating', `The place of the pool is missing and is made now: ${error.message}`, 1)
      }
      return
    case 'Stopped':
      await connection.storagePoolDestroy(ref)
      return
    case 'AutostartSet':
      await connection.storagePoolSetAutostart(ref, action.autostart)
      return
    case 'FolderRemoved':
      // For a dir pool this is an rmdir: it refuses a folder that holds anything, which then stays.
      await connection.storagePoolDelete(ref, DeleteFlags.NORMAL).catch((error: unknown) => {
        if (!(error instanceof LibvirtError && error.code === ErrorNumber.SYSTEM_ERROR)) throw error
      })
      return
    case 'Undefined':
      await connection.storagePoolUndefine(ref).catch((error: unknown) => { if (!isAbsent(error, 'pool')) throw error })
  }
}

/** A pool that came between the look and the define: libvirt names it in its refusal. */
const clash = (inputs: PoolInputs) => (error: unknown): never => {
  if (error instanceof LibvirtError && error.code === ErrorNumber.OPERATION_FAILED && inputs.relation.type === 'Absent') {
    throw new Refusal('Conflict', `Hypervisor ${inputs.bound.name} refused the pool ${inputs.binding.name}, for another one has its name, its UUID or its place: ${error.message}. Choose another spec.name or path, or take that pool over with its name in spec.name and adoptionPolicy: IfUnchanged or Always.`, 30_000)
  }
  throw error
}
