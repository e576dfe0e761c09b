import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration } from '../../../crds/duration.ts'

test.each([
  ['0', 0], ['0s', 0], ['90s', 90_000], ['1h30m', 5_400_000], ['1.5h', 5_400_000], ['250ms', 250], ['1us', 0.001], ['1µs', 0.001], ['1000000ns', 1],
  ['-5s', -5000], ['+5s', 5000], ['.5s', 500], ['1m1s1ms', 61_001],
])('reads %s as %d ms', (duration, ms) => expect(parseDuration(duration)).toBeCloseTo(ms, 9))

test.each(['', '5', 's', '5 s', '1d', '1h30', '5S', '--5s', '5s ', '.s'])('refuses %j with a sentence', duration =>
  expect(() => parseDuration(duration)).toThrow(/is not a duration: write 90s, 5m or 1h30m/))

test('the parts add up', () => {
  fc.assert(fc.property(fc.nat(999), fc.nat(59), fc.nat(59), (h, m, s) => {
    expect(parseDuration(`${h}h${m}m${s}s`)).toBe(((h * 60 + m) * 60 + s) * 1000)
  }))
})
