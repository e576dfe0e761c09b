// The header of a qcow2 image (QEMU: docs/interop/qcow2.txt), as far as sizes and probes need it.

import type { Content } from './content.ts'

const MAGIC = 0x514649fb
/** What an image without data takes on a disk, as qemu-img writes it. */
export const EMPTY_IMAGE = 196_616

/** A version 2 header for an image of this virtual size. */
export function qcow2Header(virtualSize: number): Buffer {
  const header = Buffer.alloc(72)
  header.writeUInt32BE(MAGIC, 0)
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(16, 20) // clusters of 64 KiB
  header.writeBigUInt64BE(BigInt(virtualSize), 24)
  return header
}

/** The virtual size that a qcow2 header names; undefined where the content begins with none. */
export function qcow2Size(content: Content): number | undefined {
  const header = content.read(0, 32)
  return header.length === 32 && header.readUInt32BE(0) === MAGIC ? Number(header.readBigUInt64BE(24)) : undefined
}
