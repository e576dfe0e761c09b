// Regular expressions of schemas and rules: RE2, as in Go. It takes linear time whatever a tenant writes.

import { RE2JS } from 're2js'

const compiled = new Map<string, RE2JS>()
const limit = 4096

/** A compiled pattern, kept for the next time. Throws where it is none. */
export function regex(pattern: string): RE2JS {
  let known = compiled.get(pattern)
  if (known === undefined) {
    known = RE2JS.compile(pattern)
    if (compiled.size >= limit) compiled.clear()
    compiled.set(pattern, known)
  }
  return known
}

/** Whether a pattern matches anywhere in a text. */
export const matches = (pattern: string, text: string): boolean => regex(pattern).matcher(text).find()

/** The texts that a pattern matches from left to right, at most `max` of them. */
export function findAll(pattern: string, text: string, max = Infinity): string[] {
  const matcher = regex(pattern).matcher(text)
  const found: string[] = []
  while (found.length < max && matcher.find()) found.push(matcher.group() ?? '')
  return found
}
