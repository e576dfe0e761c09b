// Makes an ISO 9660 image with Joliet names of a few small files: the medium that cloud-init's NoCloud source reads.
//
// Structures and sizes are those of ECMA-119 and of the Joliet specification; numbers are written in both byte orders
// where the standard wants it.

const SECTOR = 2048
/** Sectors at the end, as mkisofs adds them. */
const PADDING = 150

interface Placed { name: string; content: Buffer; sector: number }

const both16 = (n: number): Buffer => { const b = Buffer.alloc(4); b.writeUInt16LE(n, 0); b.writeUInt16BE(n, 2); return b }
const both32 = (n: number): Buffer => { const b = Buffer.alloc(8); b.writeUInt32LE(n, 0); b.writeUInt32BE(n, 4); return b }
const padded = (text: string, length: number): Buffer => Buffer.from(text.padEnd(length, ' ').slice(0, length), 'latin1')
const ucs2 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()
const ucs2Padded = (text: string, length: number): Buffer => ucs2(text.padEnd(length / 2, ' ').slice(0, length / 2))

function directoryRecord(identifier: Buffer, sector: number, size: number, directory: boolean): Buffer {
  const length = 33 + identifier.length + (identifier.length % 2 === 0 ? 1 : 0)
  const record = Buffer.alloc(length)
  record[0] = length
  both32(sector).copy(record, 2)
  both32(size).copy(record, 10)
  // The date stays zero ("not specified"): the same files make the same image.
  record[25] = directory ? 2 : 0
  both16(1).copy(record, 28)
  record[32] = identifier.length
  identifier.copy(record, 33)
  return record
}

const SELF = Buffer.from([0])
const PARENT = Buffer.from([1])

function directory(sector: number, entries: { identifier: Buffer; file: Placed }[]): Buffer {
  const records = [directoryRecord(SELF, sector, SECTOR, true), directoryRecord(PARENT, sector, SECTOR, true),
    ...entries.map(({ identifier, file }) => directoryRecord(identifier, file.sector, file.content.length, false))]
  const extent = Buffer.alloc(SECTOR)
  Buffer.concat(records).copy(extent)
  return extent
}

function pathTable(root: number, bigEndian: boolean): Buffer {
  const table = Buffer.alloc(10)
  table[0] = 1
  if (bigEndian) { table.writeUInt32BE(root, 2); table.writeUInt16BE(1, 6) } else { table.writeUInt32LE(root, 2); table.writeUInt16LE(1, 6) }
  return table
}

function volumeDescriptor(type: 1 | 2, label: string, sectors: number, tables: { little: number; big: number }, root: number): Buffer {
  const joliet = type === 2
  const descriptor = Buffer.alloc(SECTOR)
  const text = (value: string, offset: number, length: number): void => { (joliet ? ucs2Padded(value, length) : padded(value, length)).copy(descriptor, offset) }
  descriptor[0] = type
  descriptor.write('CD001', 1, 'latin1')
  descriptor[6] = 1
  text('', 8, 32)
  text(label, 40, 32)
  both32(sectors).copy(descriptor, 80)
  if (joliet) descriptor.write('%/E', 88, 'latin1')
  both16(1).copy(descriptor, 120)
  both16(1).copy(descriptor, 124)
  both16(SECTOR).copy(descriptor, 128)
  both32(10).copy(descriptor, 132)
  descriptor.writeUInt32LE(tables.little, 140)
  descriptor.writeUInt32BE(tables.big, 148)
  directoryRecord(SELF, root, SECTOR, true).copy(descriptor, 156)
  for (const offset of [190, 318, 446, 574]) text('', offset, 128)
  for (const offset of [702, 739, 776]) text('', offset, joliet ? 36 : 37)
  for (const offset of [813, 830, 847, 864]) descriptor.write('0'.repeat(16), offset, 'latin1')
  descriptor[881] = 1
  return descriptor
}

/** `files` are few and small (the directory must fit one sector); `label` is the volume's name, which NoCloud looks for as `cidata`. */
export function isoImage(label: string, files: Record<string, string>): Buffer {
  // 0-15 system area, 16 primary, 17 Joliet, 18 terminator, 19-22 path tables, 23 and 24 the two directories, then the files.
  const [PRIMARY_ROOT, JOLIET_ROOT] = [23, 24]
  let sector = 25
  const placed: Placed[] = Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => {
    const content = Buffer.from(text, 'utf8')
    const file = { name, content, sector }
    sector += Math.max(1, Math.ceil(content.length / SECTOR))
    return file
  })
  // Readers look past the end of a small image (busybox gives up on one below 69,632 bytes): the usual padding keeps them inside.
  sector += PADDING
  const image = Buffer.alloc(sector * SECTOR)
  const put = (at: number, bytes: Buffer): void => { bytes.copy(image, at * SECTOR) }
  put(16, volumeDescriptor(1, label, sector, { little: 19, big: 20 }, PRIMARY_ROOT))
  put(17, volumeDescriptor(2, label, sector, { little: 21, big: 22 }, JOLIET_ROOT))
  const terminator = Buffer.alloc(SECTOR)
  terminator[0] = 255
  terminator.write('CD001', 1, 'latin1')
  terminator[6] = 1
  put(18, terminator)
  put(19, pathTable(PRIMARY_ROOT, false))
  put(20, pathTable(PRIMARY_ROOT, true))
  put(21, pathTable(JOLIET_ROOT, false))
  put(22, pathTable(JOLIET_ROOT, true))
  put(PRIMARY_ROOT, directory(PRIMARY_ROOT, placed.map(file => ({ identifier: Buffer.from(`${file.name.toUpperCase().replace(/[^A-Z0-9]/g, '_').slice(0, 8)}.;1`, 'latin1'), file }))))
  put(JOLIET_ROOT, directory(JOLIET_ROOT, placed.map(file => ({ identifier: ucs2(file.name), file }))))
  for (const file of placed) put(file.sector, file.content)
  return image
}
