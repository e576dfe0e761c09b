import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SourceError } from '../../../reconcilers/volume/source/error.ts'
import { inspectImage } from '../../../reconcilers/volume/source/header.ts'

interface Header { version?: number; backingOffset?: bigint; backingSize?: number; size?: bigint; crypt?: number; incompatible?: bigint; length?: number }

function qcow2({ version = 3, backingOffset = 0n, backingSize = 0, size = 1n << 30n, crypt = 0, incompatible = 0n, length = 4096 }: Header = {}): Buffer {
  const head = Buffer.alloc(4096)
  head.write('QFI\xfb', 0, 'latin1')
  head.writeUInt32BE(version, 4)
  head.writeBigUInt64BE(backingOffset, 8)
  head.writeUInt32BE(backingSize, 16)
  head.writeUInt32BE(16, 20)
  head.writeBigUInt64BE(size, 24)
  head.writeUInt32BE(crypt, 32)
  head.writeBigUInt64BE(incompatible, 72)
  return head.subarray(0, length)
}

describe('the header of an image', () => {
  test.each<[string, Buffer, { format: string; capacity: number }]>([
    ['qcow2 version 3', qcow2(), { format: 'qcow2', capacity: 2 ** 30 }],
    ['qcow2 version 2, whose feature fields are content', qcow2({ version: 2, incompatible: 4n }), { format: 'qcow2', capacity: 2 ** 30 }],
    ['a qcow2 that was not closed', qcow2({ incompatible: 1n }), { format: 'qcow2', capacity: 2 ** 30 }],
    ['zeros', Buffer.alloc(512), { format: 'raw', capacity: 512 }],
    ['three bytes', Buffer.from('QFI'), { format: 'raw', capacity: 3 }],
  ])('%s is taken', (_, head, image) => {
    expect(inspectImage(head, head.length)).toEqual(image)
  })

  test.each<[string, Buffer, RegExp]>([
    ['a backing file', qcow2({ backingOffset: 512n, backingSize: 11 }), /names a backing file/],
    ['a backing name without a place', qcow2({ backingSize: 11 }), /names a backing file/],
    ['a backing place without a name', qcow2({ backingOffset: 512n }), /names a backing file/],
    ['an external data file', qcow2({ incompatible: 4n }), /external data file/],
    ['a corrupt image', qcow2({ incompatible: 2n }), /corrupt/],
    ['an unknown feature', qcow2({ incompatible: 1n << 40n }), /does not know/],
    ['an encrypted image', qcow2({ crypt: 2 }), /encrypted/],
    ['no disk at all', qcow2({ size: 0n }), /cannot be/],
    ['a disk beyond counting', qcow2({ size: 1n << 60n }), /cannot be/],
    ['qcow version 1', qcow2({ version: 1 }), /version 1/],
    ['an end within the header', qcow2({ length: 60 }), /truncated/],
    ['an end within the longer header', qcow2({ length: 100 }), /truncated/],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), /gzip/],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), /zstd/],
    ['a VMDK that names another file', Buffer.from('# Disk DescriptorFile\nparentFileNameHint="/etc/shadow"'), /VMDK/],
    ['nothing', Buffer.alloc(0), /empty/],
  ])('with %s is refused in a sentence', (_, head, message) => {
    expect(() => inspectImage(head, head.length)).toThrow(message)
  })

  test('of another format passes where the spec says that the bytes are the disk, of qcow2 never', () => {
    expect(inspectImage(Buffer.from([0x1f, 0x8b, 8, 0]), 4, true)).toEqual({ format: 'raw', capacity: 4 })
    expect(inspectImage(qcow2(), 4096, true).format).toBe('qcow2')
    expect(() => inspectImage(qcow2({ backingOffset: 1n }), 4096, true)).toThrow(SourceError)
  })

  test('never lets a qcow2 pass that names another file, and never throws anything but a SourceError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 4096 }), fc.boolean(), (bytes, magic) => {
      const head = Buffer.from(bytes)
      if (magic && head.length >= 8) {
        head.write('QFI\xfb', 0, 'latin1')
        head.writeUInt32BE(3, 4)
      }
      try {
        const image = inspectImage(head, head.length)
        expect(image.capacity).toBeGreaterThan(0)
        if (image.format !== 'qcow2') return
        expect(head.readBigUInt64BE(8)).toBe(0n)
        expect(head.readUInt32BE(16)).toBe(0)
        if (head.readUInt32BE(4) === 3) expect(head.readBigUInt64BE(72) & 4n).toBe(0n)
      } catch (error) {
        expect(error).toBeInstanceOf(SourceError)
      }
    }))
  })

  test('tells the disk size that was written into it', () => {
    fc.assert(fc.property(fc.bigInt(1n, BigInt(Number.MAX_SAFE_INTEGER)), fc.constantFrom(2, 3), (size, version) => {
      expect(inspectImage(qcow2({ size, version }), 4096)).toEqual({ format: 'qcow2', capacity: Number(size) })
    }))
  })
})
