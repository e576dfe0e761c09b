import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBytes, parseQuantity } from '../../../crds/quantity.ts'

describe('parseQuantity', () => {
  test.each([
    ['0', 0], ['1', 1], [512, 512], ['1Ki', 1024], ['1Gi', 1073741824], ['1.5Gi', 1610612736], ['.5Ki', 512], ['5.Ki', 5120], ['1k', 1000], ['1M', 1e6],
    ['1G', 1e9], ['2T', 2e12], ['1P', 1e15], ['1e3', 1000], ['1E3', 1000], ['12e-1', 2], ['+1Mi', 1048576], ['-1Ki', -1024], ['100m', 1],
    ['1500m', 2], ['1u', 1], ['1n', 1], ['0m', 0], ['0.1Ki', 103], ['7Pi', 7881299347898368], ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('reads %s as %d', (quantity, bytes) => expect(parseQuantity(quantity)).toBe(bytes))

  test.each(['', ' ', '1GB', '1gi', '1 Gi', 'Gi', '.', '1,5Gi', '0x10', '1KiB', '1e', '--1', '1Ki\n', 'NaN'])('refuses %j with a sentence', quantity =>
    expect(() => parseQuantity(quantity)).toThrow(/is not a quantity: write a number of bytes/))

  test.each(['8Pi', '1Ei', '1E', '1e30', '9007199254740992'])('refuses %s, which a number cannot count', quantity =>
    expect(() => parseQuantity(quantity)).toThrow(RangeError))
})

describe('formatBytes', () => {
  test.each([
    [0, '0'], [1, '1'], [1023, '1023'], [1024, '1Ki'], [1536, '1536'], [1073741824, '1Gi'], [1610612736, '1536Mi'], [1073741825, '1073741825'],
    [2 ** 50, '1Pi'], [-1024, '-1Ki'],
  ])('writes %d as %s', (bytes, quantity) => expect(formatBytes(bytes)).toBe(quantity))

  test.each([0.5, NaN, Infinity, 2 ** 53])('refuses %d', bytes => expect(() => formatBytes(bytes)).toThrow(RangeError))
})

const bytes = fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const units = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }

test('what is written reads back as it was', () => {
  fc.assert(fc.property(bytes, n => {
    expect(parseQuantity(formatBytes(n))).toBe(n)
  }))
})

test('units count what they say, and no form is longer than the plain number', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 4096 }), fc.constantFrom(...Object.keys(units)), (n, unit) => {
    const parsed = parseQuantity(`${n}${unit}`)
    expect(parsed).toBe(n * units[unit as keyof typeof units])
    expect(formatBytes(parsed).length).toBeLessThanOrEqual(String(parsed).length)
  }))
})

test('order is kept', () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.double({ min: 0, max: 1e9, noNaN: true }), (a, b) => {
    const [less, more] = [a, b].toSorted((x, y) => x - y).map(x => x.toFixed(6)) as [string, string]
    expect(parseQuantity(`${less}Ki`)).toBeLessThanOrEqual(parseQuantity(`${more}Ki`))
  }))
})

test('whatever the text, the answer is a whole number or an error', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+-]?[0-9.]{1,6}[a-zA-Z]{0,3}[0-9]?$/)), text => {
    let answer: unknown
    try {
      answer = parseQuantity(text)
    } catch (error) {
      answer = error
    }
    expect(Number.isSafeInteger(answer) || answer instanceof TypeError || answer instanceof RangeError).toBe(true)
  }))
})
