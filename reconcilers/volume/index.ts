// The StorageVolume kind: joins gather, plan, perform and describe for the loop, and keeps the transfers under way.

import { type StorageVolume, storageVolume } from '../../crds/storagevolume.ts'
import { idOf } from '../../observed/mirror.ts'
import type { Kind } from '../kind.ts'
import { keyOf } from '../world.ts'
import { describeVolume } from './describe.ts'
import { gatherVolume, intentOf } from './gather.ts'
import type { VolumeAction, VolumeInputs } from './inputs.ts'
import { performVolume } from './perform.ts'
import { planVolume } from './plan.ts'
import { Jobs, type JobOptions } from './source/jobs.ts'
import { SourceReach } from './source/reach.ts'

export type { VolumeAction, VolumeInputs } from './inputs.ts'

export interface VolumeKindOptions extends JobOptions {
  /** Ranges of addresses that images may come from although they are the controller's own, its link's or a cloud's metadata. */
  sourceAddresses?: readonly string[]
  /** True while the kind itself is being removed from the API: everything then stays on the hosts. */
  retainAll?: () => boolean
}

export type VolumeKind = Kind<StorageVolume, VolumeInputs, VolumeAction> & {
  /** Ends every transfer; call it before the hosts are closed. */
  close(): Promise<void>
}

interface Remembered { uid: string; made?: 'Created' | 'Adopted'; allocationAt?: number }

export function volumeKind({ sourceAddresses, retainAll = () => false, ...options }: VolumeKindOptions): VolumeKind {
  const jobs = new Jobs(options)
  const reach = new SourceReach(sourceAddresses)
  const memory = new Map<string, Remembered>()
  /** An object that was deleted and made again under one name begins with nothing remembered. */
  const recall = (object: StorageVolume): Remembered | undefined => {
    const remembered = memory.get(keyOf(object))
    return remembered?.uid === object.metadata.uid ? remembered : undefined
  }
  const remember = (object: StorageVolume, fields: Partial<Remembered>): void => {
    memory.set(keyOf(object), { ...recall(object), ...fields, uid: object.metadata.uid })
  }
  return {
    resource: storageVolume.resource,
    mirror: world => world.mirrors.StorageVolume,
    gather: (world, object) => {
      const key = keyOf(object)
      // Once the status says that the content is whole, the transfer has nothing more to tell.
      if (object.status?.binding?.format !== undefined) jobs.drop(key)
      return gatherVolume(world, object, { job: jobs.get(key, object.metadata.uid), made: recall(object)?.made, retainAll: retainAll() })
    },
    plan: planVolume,
    observedId: ({ pool, binding }) => (pool === undefined ? idOf.pool(binding.uuid) : idOf.volume(binding.uuid, binding.name)),
    intent: ({ binding }) => intentOf(binding.pool, binding.name),
    perform: async (action, inputs, world) => {
      await performVolume(action, inputs, world, { jobs, reach, made: origin => { remember(inputs.object, { made: origin }) } })
    },
    describe: inputs => describeVolume(inputs, {
      get at() { return recall(inputs.object)?.allocationAt },
      set at(at) { remember(inputs.object, { allocationAt: at }) },
    }),
    forget: key => {
      memory.delete(key)
      void jobs.abort(key)
    },
    close: async () => {
      await jobs.close()
      await reach.close()
    },
  }
}
