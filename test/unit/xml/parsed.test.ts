import { expect, test } from 'vitest'
import { parsed } from '../../../xml/parsed.ts'

test('one text is parsed once while it is among the last few, and few are kept', () => {
  const first = parsed('<a/>')
  expect(parsed('<a/>')).toBe(first)
  for (let i = 0; i < 60; i++) parsed(`<b n="${i}"/>`)
  expect(parsed('<a/>'), 'used again, it is among the last again').toBe(first)
  for (let i = 0; i < 63; i++) parsed(`<c n="${i}"/>`)
  expect(parsed('<a/>')).toBe(first)
  for (let i = 0; i < 256; i++) parsed(`<d n="${i}"/>`)
  expect(parsed('<a/>')).not.toBe(first)
  expect(parsed('<a/>')).toEqual(first)
})
