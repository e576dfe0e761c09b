// Files without a name: what a child process has to read from a file is seen by it alone, and is gone with the last who holds it.

import { constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Linux: an inode that never had a name. Node has no constant of it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/** Memory first: what lies there reaches no disk. */
const places = ['/dev/shm', tmpdir()]

const nameless = async (): Promise<FileHandle> => {
  for (const place of places) {
    const handle = await open(place, O_TMPFILE | constants.O_RDWR, 0o600).catch(() => undefined)
    if (handle) return handle
  }
  // A file system without such files: a name in a fresh place, taken away before anything is written.
  const path = join(tmpdir(), `vireo-${randomUUID()}`)
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  await unlink(path)
  return handle
}

export interface AnonymousFile {
  /** For this process and its children, until `close`. */
  path: string
  close(): Promise<void>
}

export const anonymousFile = async (content: string): Promise<AnonymousFile> => {
  const handle = await nameless()
  try {
    await handle.writeFile(content)
  } catch (error) {
    await handle.close()
    throw error
  }
  return { path: `/proc/${process.pid}/fd/${handle.fd}`, close: () => handle.close() }
}
