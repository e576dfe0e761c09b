// Carries out a volume's actions: one driver call each, or the start of a transfer that goes on beside the workers.

import { parseQuantity } from '../../crds/quantity.ts'
import { BlockResizeFlags, DeleteFlags, type StorageVolRef } from '../../drivers/driver.ts'
import { isAbsent } from '../../drivers/errors.ts'
import { serializeXml } from '../../xml/tree.ts'
import { Refusal } from '../plan.ts'
import { holdsFiles } from '../pool/render.ts'
import { type World, keyOf } from '../world.ts'
import type { Origin, VolumeAction, VolumeInputs } from './inputs.ts'
import { createFlags, renderVolume } from './render.ts'
import { SourceError } from './source/error.ts'
import type { Image } from './source/header.ts'
import type { Jobs } from './source/jobs.ts'
import type { SourceReach } from './source/reach.ts'
import { type Destination, isTaken, takenMessage, transferBlank, transferClone, transferUrl } from './source/transfer.ts'

export interface VolumeTools {
  jobs: Jobs
  /** Where images are fetched from. */
  reach: SourceReach
  /** The volume is the object's from now on, though no status says so yet. */
  made(origin: 'Created' | 'Adopted'): void
}

export async function performVolume(action: VolumeAction, inputs: VolumeInputs, world: World, tools: VolumeTools): Promise<void> {
  const { bound, object, observed } = inputs
  const key = keyOf(object)
  switch (action.type) {
    case 'LookedUp':
      // The loop reads the volume (or the pool that is to hold it) after every action; that read is the answer.
      return
    case 'Adopted':
      tools.made('Adopted')
      return
    case 'TransferStopped':
      await tools.jobs.abort(key)
      return
    case 'SourceOpened':
      start(inputs, world, tools)
      return
    case 'TransferStarted':
      tools.jobs.allow(key)
      return
    case 'Created':
      await create(action, inputs)
      tools.made('Created')
      return
    case 'Grown':
      await bound.host.use().storageVolResize(refOf(inputs), action.capacity, 0)
      return
    case 'BlockResized': {
      const { user } = action
      await bound.host.use().domainBlockResize({ name: user.domain, uuid: user.uuid, id: -1 }, user.target, action.capacity, BlockResizeFlags.BYTES)
      return
    }
    case 'HalfRemoved':
    case 'Deleted':
      if (observed === undefined) return
      await bound.host.use().storageVolDelete(observed.ref, DeleteFlags.NORMAL).catch((error: unknown) => { if (!isAbsent(error, 'volume')) throw error })
  }
}

const refOf = ({ observed, binding }: VolumeInputs): StorageVolRef => observed?.ref ?? { pool: binding.pool, name: binding.name, key: '' }

async function create(action: Extract<VolumeAction, { type: 'Created' }>, { bound, pool, binding }: VolumeInputs): Promise<void> {
  const connection = bound.host.use()
  try {
    await connection.storageVolCreateXML(pool!.ref, action.xml, action.flags)
  } catch (error) {
    if (await isTaken(connection, pool!.ref, binding.name, error)) throw new Refusal('Conflict', takenMessage(bound.name, binding.pool, binding.name))
    throw error
  }
}

function start({ object, bound, attempt, origin, binding, pool }: VolumeInputs, world: World, { jobs, reach }: VolumeTools): void {
  if (origin === undefined || pool === undefined) return
  const { preallocation } = object.spec
  const destination: Destination = {
    host: bound.host, hypervisor: bound.name, clock: world.clock, pool: pool.ref, name: binding.name,
    render: ({ format, capacity }) => serializeXml(renderVolume({ name: binding.name, poolType: pool.type, capacity, format, preallocation, backing: origin.type === 'Backing' ? origin : undefined })),
  }
  const options = { uid: object.metadata.uid, host: { name: bound.name, streams: bound.host.streams }, attempt }
  if (origin.type === 'Clone') {
    const { source, pool: sourcePool, format: sourceFormat, capacity } = origin
    jobs.start(keyOf(object), options, control => transferClone(control, { source, sourcePool, sourceFormat, capacity, destination, format: binding.format ?? sourceFormat }))
  } else if (origin.type !== 'Url') {
    const format = binding.format ?? 'raw'
    jobs.start(keyOf(object), options, control => transferBlank(control, { destination, format, capacity: origin.capacity, flags: createFlags({ format, preallocation }) }))
  } else {
    jobs.start(keyOf(object), options, control => transferUrl(control, {
      url: origin.url.url, checksum: origin.url.checksum, destination, reach, asRaw: object.spec.format === 'raw',
      check: image => { checkImage(image, object.spec, pool.type, origin) },
    }))
  }
}

/** What an image turned out to be has to suit what the spec asks for. */
function checkImage(image: Image, spec: VolumeInputs['object']['spec'], poolType: string, origin: Extract<Origin, { type: 'Url' }>): void {
  const invalid = (message: string): never => { throw new SourceError('Permanent', message, { reason: 'Invalid' }) }
  if (origin.url.checksum === undefined && origin.url.verification !== 'None') invalid('spec.source.url needs a checksum (sha256: or sha512: and the digits), or verification: None to take whatever comes.')
  if (spec.format !== undefined && spec.format !== image.format) invalid(`spec.format is ${spec.format} and the image is ${image.format}: leave spec.format out, or serve the image in that format.`)
  if (image.format !== 'raw' && !holdsFiles(poolType)) invalid(`The image is ${image.format} and the volumes of a ${poolType} pool are bare disks: serve it as raw (qemu-img convert -O raw), or use a dir pool.`)
  if (spec.capacity !== undefined && parseQuantity(spec.capacity) < image.capacity) invalid(`spec.capacity: ${String(spec.capacity)} is less than the ${image.capacity} bytes of the image's disk. Leave it out, or ask for at least as much.`)
}
