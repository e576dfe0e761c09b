// The StoragePool kind: joins gather, plan, perform and describe for the loop, and remembers what no mirror holds.

import { type StoragePool, storagePool } from '../../crds/storagepool.ts'
import { idOf } from '../../observed/mirror.ts'
import type { Kind } from '../kind.ts'
import { keyOf } from '../world.ts'
import { describePool } from './describe.ts'
import { type Remembered, gatherPool } from './gather.ts'
import { type PoolAction, type PoolInputs, folderIntent } from './inputs.ts'
import { performPool } from './perform.ts'
import { planPool } from './plan.ts'

export type { PoolAction, PoolInputs } from './inputs.ts'

export type PoolKind = Kind<StoragePool, PoolInputs, PoolAction>

export interface PoolKindOptions {
  /** True while the kind itself is being removed from the API: everything then stays on the hosts. */
  retainAll?: () => boolean
}

export function poolKind({ retainAll = () => false }: PoolKindOptions = {}): PoolKind {
  const memory = new Map<string, Remembered>()
  /** An object that was deleted and made again under one name begins with nothing remembered. */
  const recall = (object: StoragePool): Remembered | undefined => {
    const remembered = memory.get(keyOf(object))
    return remembered?.uid === object.metadata.uid ? remembered : undefined
  }
  const remember = (object: StoragePool, fields: Partial<Remembered>): void => {
    memory.set(keyOf(object), { missing: false, ...recall(object), ...fields, uid: object.metadata.uid })
  }
  return {
    resource: storagePool.resource,
    mirror: world => world.mirrors.StoragePool,
    gather: (world, object) => gatherPool(world, object, recall(object), retainAll()),
    plan: planPool,
    observedId: inputs => idOf.pool(inputs.binding.uuid),
    intent: ({ object, missing, wasUp }) => (missing && !wasUp && object.spec.dir !== undefined ? folderIntent(object.spec.dir.path.replace(/\/+$/, '')) : undefined),
    perform: async (action, inputs) => {
      await performPool(action, inputs, {
        missing: () => { remember(inputs.object, { missing: true }) },
        adopted: uuid => { remember(inputs.object, { adopted: uuid }) },
      })
    },
    describe: inputs => describePool(inputs, {
      get at() { return recall(inputs.object)?.sizesAt },
      set at(at) { remember(inputs.object, { sizesAt: at }) },
    }),
    forget: key => { memory.delete(key) },
  }
}
