// Makes a volume whose content takes time: from a web server through the checksum onto the host, or by the host itself.
//
// Each looks first and says so, then waits until the record of the intention is written, and only then makes the volume:
// what is found half made later is therefore ours to remove.

import { createHash } from 'node:crypto'
import { type Clock, sleep } from '../../../clock/clock.ts'
import type { Connection, StoragePoolRef, StorageVolRef, UploadStream } from '../../../drivers/driver.ts'
import { ErrorNumber, LibvirtError, isAbsent } from '../../../drivers/errors.ts'
import type { Host } from '../../../observed/host.ts'
import { idOf } from '../../../observed/mirror.ts'
import { volumeFrom } from '../../../observed/objects.ts'
import { SourceError } from './error.ts'
import { type OpenedSource, openSource, shownUrl } from './fetch.ts'
import type { SourceReach } from './reach.ts'
import { HEADER_LENGTH, type Image, inspectImage } from './header.ts'
import type { JobControl } from './jobs.ts'
import { Pace } from './pace.ts'

/** Where the content goes. */
export interface Destination {
  host: Pick<Host, 'use' | 'refresh'>
  /** The Hypervisor's name. */
  hypervisor: string
  clock: Clock
  pool: StoragePoolRef
  name: string
  /** The document of the volume for an image that was inspected. */
  render(image: { format: string; capacity: number }): string
}

/** The host may hold the volume of an aborted stream for a moment longer. */
const REMOVALS = 50
const REMOVAL_PAUSE = 100
/** How long a busy pool is waited for. */
const LOOKS = 60
const LOOK_PAUSE = 1_000

async function removeHalf(destination: Destination, volume: StorageVolRef): Promise<void> {
  const { host, clock } = destination
  for (let tries = 1; ; tries++) {
    try {
      await host.use().storageVolDelete(volume, 0)
      break
    } catch (error) {
      if (isAbsent(error, 'volume')) break
      const busy = error instanceof LibvirtError && (error.code === ErrorNumber.OPERATION_INVALID || error.code === ErrorNumber.INTERNAL_ERROR || error.code === ErrorNumber.RESOURCE_BUSY)
      if (!busy || tries >= REMOVALS) throw error
    }
    await sleep(clock, REMOVAL_PAUSE)
  }
}

/** The pool's own list may lack a file that lies there: it is looked through, so that no stranger's file is taken for a half volume of ours. */
async function requireFree({ host, hypervisor, clock, pool, name }: Destination, signal: AbortSignal): Promise<void> {
  const connection = host.use()
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      await connection.storagePoolRefresh(pool)
      break
    } catch (error) {
      // A pool in which a volume is being made refuses with libvirt's least specific code.
      if (!(error instanceof LibvirtError && error.code === ErrorNumber.INTERNAL_ERROR) || tries >= LOOKS) throw error
    }
    await sleep(clock, LOOK_PAUSE, signal)
  }
  try {
    await connection.storageVolLookupByName(pool, name)
  } catch (error) {
    if (isAbsent(error, 'volume')) return
    throw error
  }
  throw new SourceError('Permanent', takenMessage(hypervisor, pool.name, name), { reason: 'Conflict' })
}

/** Runs `write` on a volume that was just made; leaves it whole or not at all. */
async function wholeOrNothing(destination: Destination, volume: StorageVolRef, write: () => Promise<void>): Promise<void> {
  const { host, pool, name } = destination
  const refresh = async (): Promise<void> => { await host.refresh(idOf.volume(pool.uuid, name)) }
  try {
    await write()
  } catch (error) {
    // Where the host is away, the half volume is removed by the plan: the record says that it is one.
    await removeHalf(destination, volume).then(refresh).catch(() => undefined)
    throw error
  }
  await refresh()
}

/**
 * True where a create was refused because the pool holds the name: as a volume, or as a file it had not seen, which libvirt
 * refuses with a code that says no more than "not now". The pool is looked through to know.
 */
export async function isTaken(connection: Connection, pool: StoragePoolRef, name: string, error: unknown): Promise<boolean> {
  if (!(error instanceof LibvirtError)) return false
  if (error.code === ErrorNumber.STORAGE_VOL_EXIST) return true
  if (error.code !== ErrorNumber.OPERATION_INVALID) return false
  // A pool with transfers under way refuses to be looked through; what it knows already has to do.
  await connection.storagePoolRefresh(pool).catch(() => undefined)
  return await connection.storageVolLookupByName(pool, name).then(() => true, () => false)
}

export const takenMessage = (hypervisor: string, pool: string, name: string): string =>
  `The volume ${name} is in pool ${pool} on Hypervisor ${hypervisor} already, and vireo did not create it for this object. Choose another spec.name, or take it over with adoptionPolicy: IfUnchanged or Always.`

async function create({ host, hypervisor, pool, name }: Destination, make: () => Promise<StorageVolRef>): Promise<StorageVolRef> {
  try {
    return await make()
  } catch (error) {
    if (!await isTaken(host.use(), pool, name, error)) throw error
    throw new SourceError('Permanent', takenMessage(hypervisor, pool.name, name), { cause: error, reason: 'Conflict' })
  }
}

export interface UrlTransfer {
  url: string
  checksum?: string
  destination: Destination
  reach: SourceReach
  /** The spec says that the bytes are the disk, whatever they look like. */
  asRaw: boolean
  /** Throws SourceError where the image does not suit the spec or the pool. */
  check(image: Image): void
}

export async function transferUrl(control: JobControl, transfer: UrlTransfer): Promise<{ format: string }> {
  const { url, destination } = transfer
  using pace = new Pace(destination.clock, control, url)
  try {
    const source = await openSource(url, { signal: pace.signal, reach: transfer.reach })
    try {
      return await writeSource(control, transfer, source, pace)
    } finally {
      source.close()
    }
  } catch (error) {
    // What a stopped transfer trips over is not why it ended.
    pace.signal.throwIfAborted()
    throw error
  }
}

async function writeSource(control: JobControl, transfer: UrlTransfer, source: OpenedSource, pace: Pace): Promise<{ format: string }> {
  const { url, destination } = transfer
  const body = source.body[Symbol.asyncIterator]()
  const head = await readHead(body)
  const image = inspectImage(head, source.length, transfer.asRaw)
  transfer.check(image)
  await requireRoom(destination, source.length, url)
  await requireFree(destination, pace.signal)
  pace.rest()
  await control.inspected()
  const volume = await create(destination, () => destination.host.use().storageVolCreateXML(destination.pool, destination.render(image), 0))
  await wholeOrNothing(destination, volume, () => upload(control, transfer, source, head, body, volume, pace))
  return { format: image.format }
}

/** At least HEADER_LENGTH bytes, or all that there are. */
async function readHead(body: AsyncIterator<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  while (length < HEADER_LENGTH) {
    const { done, value } = await body.next()
    if (done) break
    chunks.push(value)
    length += value.length
  }
  return Buffer.concat(chunks)
}

async function requireRoom({ host, pool }: Destination, length: number, url: string): Promise<void> {
  const { available } = await host.use().storagePoolGetInfo(pool)
  if (length > available) throw new SourceError('Permanent', `${shownUrl(url)} has ${length} bytes and the pool ${pool.name} has room for ${available}: make room, or use another pool.`)
}

function digest(checksum: string | undefined): { update(chunk: Uint8Array): void; verify(url: string): void } {
  if (checksum === undefined) return { update: () => undefined, verify: () => undefined }
  const [algorithm, wanted] = checksum.split(':') as [string, string]
  const hash = createHash(algorithm)
  return {
    update: chunk => { hash.update(chunk) },
    verify: url => {
      const found = hash.digest('hex')
      if (found !== wanted.toLowerCase()) throw new SourceError('Permanent', `${shownUrl(url)} has the checksum ${algorithm}:${found}, not the one in spec.source.url.checksum. Correct the checksum if the image was renewed; otherwise do not trust it.`)
    },
  }
}

/** Back-pressure all the way: a chunk is read from the server when the host has taken the one before. */
async function upload(control: JobControl, { url, checksum }: UrlTransfer, source: OpenedSource, head: Buffer, body: AsyncIterator<Buffer>, volume: StorageVolRef, pace: Pace): Promise<void> {
  let stream: UploadStream | undefined
  // A host that does not even take the stream has to be left in another way.
  const aborted = (): void => { void (stream === undefined ? control.place.release() : stream.abort('the transfer was stopped')) }
  pace.signal.addEventListener('abort', aborted, { once: true })
  try {
    pace.begin()
    stream = await (await control.place.open()).storageVolUpload(volume, 0, source.length, 0)
    const sum = digest(checksum)
    let written = 0
    control.progress(0, source.length)
    for (let chunk: Buffer = head; ;) {
      pace.signal.throwIfAborted()
      sum.update(chunk)
      await stream.write(chunk)
      written += chunk.length
      pace.moved(chunk.length)
      control.progress(written, source.length)
      const next = await body.next()
      if (next.done) break
      chunk = next.value
    }
    pace.rest()
    sum.verify(url)
    await stream.finish()
  } catch (error) {
    await stream?.abort(error instanceof Error ? error.message : String(error))
    throw error
  } finally {
    pace.signal.removeEventListener('abort', aborted)
  }
}

export interface CloneTransfer {
  source: StorageVolRef
  sourcePool: StoragePoolRef
  /** The recorded format of the source: what libvirt takes it for has to be the same. */
  sourceFormat: string
  format: string
  destination: Destination
  capacity: number
}

/** libvirt copies by its own idea of the source's format, which comes from a probe: a guest may have written that header. */
async function requireHonestSource(connection: Connection, { source, sourcePool, sourceFormat }: CloneTransfer): Promise<void> {
  const { format } = volumeFrom(source, sourcePool.uuid, await connection.storageVolGetXMLDesc(source))
  if (format === sourceFormat) return
  throw new SourceError('Permanent', `The content of the volume ${source.name} looks like ${format} though it is ${sourceFormat} by record: libvirt would follow what that header names, so it is not copied. Copy the content from inside a guest.`)
}

/** Runs `make` on a connection of its own: it takes as long as its bytes take, and the others stay free. */
async function onHost(control: JobControl, make: (connection: Connection) => Promise<void>): Promise<void> {
  const connection = await control.place.open()
  const aborted = (): void => { void connection.close() }
  control.signal.addEventListener('abort', aborted, { once: true })
  try {
    control.signal.throwIfAborted()
    await make(connection)
  } finally {
    control.signal.removeEventListener('abort', aborted)
  }
}

const nothingMore = (control: JobControl) => async (): Promise<void> => { await Promise.resolve(); control.signal.throwIfAborted() }

export async function transferClone(control: JobControl, transfer: CloneTransfer): Promise<{ format: string }> {
  const { destination, source, format, capacity } = transfer
  const { host, pool } = destination
  await requireHonestSource(host.use(), transfer)
  await requireFree(destination, control.signal)
  await control.inspected()
  // A guest above may have written since.
  await requireHonestSource(host.use(), transfer)
  await onHost(control, async connection => {
    const xml = destination.render({ format, capacity })
    const volume = await create(destination, () => connection.storageVolCreateXMLFrom(pool, xml, source, 0))
    await wholeOrNothing(destination, volume, nothingMore(control))
  })
  return { format }
}

export interface BlankTransfer { destination: Destination; format: string; capacity: number; /** virStorageVolCreateFlags. */ flags: number }

/** An empty volume whose space is taken at once, or whose pool shows no difference between empty and written. */
export async function transferBlank(control: JobControl, { destination, format, capacity, flags }: BlankTransfer): Promise<{ format: string }> {
  await requireFree(destination, control.signal)
  await control.inspected()
  await onHost(control, async connection => {
    const xml = destination.render({ format, capacity })
    const volume = await create(destination, () => connection.storageVolCreateXML(destination.pool, xml, flags))
    await wholeOrNothing(destination, volume, nothingMore(control))
  })
  return { format }
}
