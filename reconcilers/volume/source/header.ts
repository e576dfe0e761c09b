// Reads the first bytes of an image: what it is and how large its disk is, before anything of it reaches the host.

import { SourceError } from './error.ts'

/** As many bytes as are looked at (fewer where the image is shorter). */
export const HEADER_LENGTH = 4096

export interface Image {
  format: 'qcow2' | 'raw'
  /** Size of the disk in bytes. */
  capacity: number
}

/** Offsets and bits of docs/interop/qcow2.txt in QEMU's sources; all numbers are big-endian. */
const QCOW2 = { magic: 0x514649fb, shortest: 72, v3: 104, incompatible: { corrupt: 2n, dataFile: 4n, known: 0b11111n } } as const

const refuse = (message: string): never => { throw new SourceError('Permanent', message) }

/** Formats that would be taken for raw bytes by mistake, by their first bytes. */
const others: { name: string; advice: string; matches: (head: Buffer) => boolean }[] = [
  { name: 'gzip-compressed', advice: 'Serve it uncompressed', matches: head => head[0] === 0x1f && head[1] === 0x8b },
  { name: 'xz-compressed', advice: 'Serve it uncompressed', matches: head => head.subarray(0, 6).equals(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])) },
  { name: 'zstd-compressed', advice: 'Serve it uncompressed', matches: head => head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 },
  { name: 'bzip2-compressed', advice: 'Serve it uncompressed', matches: head => head.subarray(0, 3).toString('latin1') === 'BZh' },
  { name: 'in VMDK format', advice: 'Convert it with qemu-img to qcow2', matches: head => head.subarray(0, 4).toString('latin1') === 'KDMV' || head.subarray(0, 21).toString('latin1') === '# Disk DescriptorFile' },
  { name: 'in VHDX format', advice: 'Convert it with qemu-img to qcow2', matches: head => head.subarray(0, 8).toString('latin1') === 'vhdxfile' },
  { name: 'in VHD format', advice: 'Convert it with qemu-img to qcow2', matches: head => head.subarray(0, 8).toString('latin1') === 'conectix' },
  { name: 'in VDI format', advice: 'Convert it with qemu-img to qcow2', matches: head => head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f },
  { name: 'in QED format', advice: 'Convert it with qemu-img to qcow2', matches: head => head.subarray(0, 4).toString('latin1') === 'QED\0' },
  { name: 'a LUKS container', advice: 'Serve the plain disk', matches: head => head.subarray(0, 6).equals(Buffer.from('LUKS\xba\xbe', 'latin1')) },
]

/**
 * `length` is the size of the whole file. `asRaw`: the spec says that whatever it is, its bytes are the disk.
 * Throws SourceError for a header that names another file, and for what is no disk image.
 */
export function inspectImage(head: Buffer, length: number, asRaw = false): Image {
  if (length === 0) refuse('The image is empty.')
  if (head.length >= 4 && head.readUInt32BE(0) === QCOW2.magic) return inspectQcow2(head)
  const other = asRaw ? undefined : others.find(({ matches }) => matches(head))
  if (other) refuse(`The image is ${other.name}, which vireo does not unpack. ${other.advice}, or set spec.format: raw if these bytes are the disk itself.`)
  return { format: 'raw', capacity: length }
}

function inspectQcow2(head: Buffer): Image {
  if (head.length < QCOW2.shortest) refuse('The image begins like a qcow2 one and ends within its header: it is truncated.')
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) refuse(`The image is of qcow version ${version}; only qcow2 (versions 2 and 3) is taken. Convert it with qemu-img to qcow2.`)
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) {
    refuse('The header of the image names a backing file: such an image would open a file of the host, and is refused. Flatten it with qemu-img convert, or use spec.backingStore.')
  }
  const capacity = head.readBigUInt64BE(24)
  if (capacity === 0n || capacity > BigInt(Number.MAX_SAFE_INTEGER)) refuse(`The header of the image tells a disk size of ${capacity} bytes, which cannot be.`)
  if (head.readUInt32BE(32) !== 0) refuse('The image is encrypted by qcow2, which is not supported. Serve it decrypted.')
  if (version === 3) {
    if (head.length < QCOW2.v3) refuse('The image begins like a qcow2 one and ends within its header: it is truncated.')
    const features = head.readBigUInt64BE(72)
    if ((features & QCOW2.incompatible.dataFile) !== 0n) refuse('The header of the image names an external data file: such an image would open a file of the host, and is refused. Convert it with qemu-img to an image in one file.')
    if ((features & QCOW2.incompatible.corrupt) !== 0n) refuse('The image is marked as corrupt. Repair it with qemu-img check, or serve a sound one.')
    if ((features & ~QCOW2.incompatible.known) !== 0n) refuse('The image uses qcow2 features that vireo does not know. Convert it with qemu-img to plain qcow2.')
  }
  return { format: 'qcow2', capacity: Number(capacity) }
}
