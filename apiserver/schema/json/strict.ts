// Reads JSON and notices keys that stand twice, which JSON.parse passes over.

import { child, entry } from '../fielderror.ts'
import { set } from './walk.ts'
import type { Json, JsonObject } from '../types.ts'

/** Objects and lists in each other that are still read: what walks a value goes as deep as it is nested. */
export const maxDepth = 1000

/**
 * JSON text → value; of a key that stands twice the last value counts, and its path is named once. Throws SyntaxError, also
 * for a text that is nested deeper than maxDepth.
 */
export function parseStrict(text: string): { value: Json; duplicates: string[] } {
  const value = JSON.parse(text) as Json
  // A key that stands twice leaves more colons behind than the value has keys: that is quick to see, and nearly never so.
  return { value, duplicates: colonsIn(text) === keysOf(value) ? [] : duplicatesIn(text) }
}

/** Colons between keys and values. Throws where the text is nested too deep. */
function colonsIn(text: string): number {
  let colons = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) i = endOfText(text, i)
    else if (code === 0x3a) colons++
    else if ((code === 0x7b || code === 0x5b) && ++depth > maxDepth) throw new SyntaxError(`exceeded max depth: objects and lists may be nested ${maxDepth} deep`)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return colons
}

function endOfText(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x5c) i++
    else if (code === 0x22) return i
  }
}

function keysOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value).reduce<number>((sum, item) => sum + keysOf(item), 0)
  return Array.isArray(value) ? inner : inner + Object.keys(value).length
}

type Frame = { type: 'object'; path: string; seen: JsonObject; key: string; expectKey: boolean } | { type: 'array'; path: string; index: number }

/** Walks text that JSON.parse has accepted. */
function duplicatesIn(text: string): string[] {
  const found = new Set<string>()
  const frames: Frame[] = []
  const pathOfNext = (): string => {
    const top = frames.at(-1)
    return top === undefined ? '' : top.type === 'object' ? child(top.path, top.key) : entry(top.path, top.index)
  }
  for (let i = 0; i < text.length; i++) {
    const top = frames.at(-1)
    switch (text.charAt(i)) {
      case '{': frames.push({ type: 'object', path: pathOfNext(), seen: {}, key: '', expectKey: true }); break
      case '[': frames.push({ type: 'array', path: pathOfNext(), index: 0 }); break
      case '}': case ']': frames.pop(); break
      case ',':
        if (top?.type === 'object') top.expectKey = true
        else if (top) top.index++
        break
      case '"': {
        const end = endOfText(text, i)
        if (top?.type === 'object' && top.expectKey) {
          top.key = JSON.parse(text.slice(i, end + 1)) as string
          if (Object.hasOwn(top.seen, top.key)) found.add(child(top.path, top.key))
          set(top.seen, top.key, true)
          top.expectKey = false
        }
        i = end
        break
      }
    }
  }
  return [...found]
}

/** `duplicate field "spec.x"`, `unknown field "spec.foo"`: what a strict decoder complains of, duplicates first. */
export const strictComplaints = (duplicates: readonly string[], unknown: readonly string[]): string[] => [
  ...duplicates.map(path => `duplicate field "${path}"`),
  ...unknown.map(path => `unknown field "${path}"`),
]
