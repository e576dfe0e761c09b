// The content of volumes in memory against a plain buffer: same bytes, nothing held for zeros, a bound for all of them together.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Content, Space, SpaceExhausted } from '../../../../drivers/test/storage/content.ts'

const PAGE = 64 * 1024
const place = fc.integer({ min: 0, max: 4 * PAGE })
const step = fc.oneof(
  fc.record({ do: fc.constant('write' as const), at: place, length: fc.integer({ min: 0, max: 2 * PAGE }), value: fc.constantFrom(0, 7, 255) }),
  fc.record({ do: fc.constant('truncate' as const), at: place }),
)

describe('content', () => {
  test('holds the bytes that a plain buffer would, through writes and truncations, and its copy keeps them', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 12 }), steps => {
      const space = new Space(2 ** 30)
      const content = new Content(space, 1000)
      let model: Buffer = Buffer.alloc(1000)
      const grown = (length: number): Buffer => Buffer.concat([model, Buffer.alloc(Math.max(0, length - model.length))])
      for (const each of steps) {
        if (each.do === 'truncate') {
          content.truncate(each.at)
          model = Buffer.from(grown(each.at).subarray(0, each.at))
        } else {
          content.write(each.at, Buffer.alloc(each.length, each.value))
          if (each.length === 0) continue
          model = grown(each.at + each.length)
          model.fill(each.value, each.at, each.at + each.length)
        }
      }
      const copy = content.copy()
      content.write(0, Buffer.from('changed'))
      expect([copy.length, copy.read(0, Infinity).equals(model)]).toEqual([model.length, true])
      content.free()
      copy.free()
      expect(space.used).toBe(0)
    }), { numRuns: 150 })
  })

  test('zeros are not held, wherever they are written', () => {
    const space = new Space(2 ** 30)
    const content = new Content(space, 0)
    content.write(10 * PAGE, Buffer.alloc(3 * PAGE))
    expect([content.length, space.used]).toEqual([13 * PAGE, 0])
    content.write(100, Buffer.from('x'))
    content.write(100, Buffer.alloc(1))
    expect(space.used).toBe(0)
  })

  test('beyond the bound nothing more is held, for all contents of a host together', () => {
    const space = new Space(2 * PAGE)
    const [one, two] = [new Content(space, 0), new Content(space, 0)]
    one.write(0, Buffer.alloc(PAGE, 1))
    two.write(0, Buffer.alloc(PAGE, 2))
    expect(() => two.write(PAGE, Buffer.alloc(1, 3))).toThrow(SpaceExhausted)
    one.free()
    two.write(PAGE, Buffer.alloc(1, 3))
    expect(two.read(PAGE, 10)).toEqual(Buffer.from([3]))
  })
})
