// Checks that a value can be merged: every field declared, every type as declared, every list entry with its own keys.

import { isObject } from '../schema/json/equal.ts'
import { json } from '../schema/json/gotext.ts'
import { deduce, elementOf, EntryError, fieldAtom, kindOf, type Atom, type ListAtom } from './atoms.ts'
import { elementText } from './fieldset.ts'
import type { Json } from '../schema/types.ts'

/** What stands against a value: path and sentence, in the words of structured-merge-diff. */
export interface ShapeError { path: string; message: string }

/** Everything wrong with a value; a list may hold one key twice only in what is stored already (`repeats`). */
export function shapeErrors(atom: Atom, value: Json, repeats = false): ShapeError[] {
  const errors: ShapeError[] = []
  check(atom, value, '', repeats, errors)
  return errors
}

export function shapeMessage(errors: readonly ShapeError[]): string {
  const lines = errors.map(({ path, message }) => path === '' ? message : `${path}: ${message}`)
  return lines.length === 1 ? lines[0]! : ['errors:', ...lines.map(line => `  ${line}`)].join('\n')
}

/** %v and %#v of Go's value. */
const plain = (value: Json): string => `&{${typeof value === 'string' ? value : json(value)}}`
const detailed = (value: Json): string => `&value.valueUnstructured{Value:${typeof value === 'object' ? goLiteral(value) : JSON.stringify(value)}}`
const goLiteral = (value: Json): string => Array.isArray(value) ? `[]interface {}{${value.map(goLiteral).join(', ')}}` :
  isObject(value) ? `map[string]interface {}{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${goLiteral(item)}`).join(', ')}}` :
    value === null ? 'interface {}(nil)' : JSON.stringify(value)
const goType = (value: Json): string => Array.isArray(value) ? '[]interface {}' : isObject(value) ? 'map[string]interface {}' : typeof value === 'boolean' ? 'bool' : typeof value

function check(whole: Atom, value: Json, path: string, repeats: boolean, errors: ShapeError[]): void {
  const kind = kindOf(deduce(whole, value))
  const wrong = (message: string): void => { errors.push({ path, message }) }
  if (value === null) return
  switch (kind.type) {
    case 'map':
      if (!isObject(value)) return wrong(`expected map, got ${plain(value)}`)
      for (const [name, field] of Object.entries(value)) {
        const at = `${path}.${name}`
        const atom = fieldAtom(kind.map, name)
        if (atom === undefined) errors.push({ path: at, message: 'field not declared in schema' })
        else check(atom, field, at, repeats, errors)
      }
      return
    case 'list':
      if (!Array.isArray(value)) return wrong(`expected list, got ${plain(value)}`)
      return checkEntries(kind.list, value, path, repeats, errors)
    case 'scalar': {
      const scalar = typeof value === 'object' ? undefined : typeof value
      if (kind.scalar === 'string' && scalar !== 'string') wrong(`expected string, got ${detailed(value)}`)
      if (kind.scalar === 'numeric' && scalar !== 'number') wrong(`expected numeric (int or float), got ${goType(value)}`)
      if (kind.scalar === 'boolean' && scalar !== 'boolean') wrong(`expected boolean, got ${plain(value)}`)
      if (kind.scalar === 'untyped' && scalar === undefined) wrong(`expected any scalar, got ${plain(value)}`)
    }
  }
}

function checkEntries(list: ListAtom, items: Json[], path: string, repeats: boolean, errors: ShapeError[]): void {
  const seen = new Set<string>()
  for (const [i, item] of items.entries()) {
    let at = `[${i}]`
    if (!list.atomic) {
      try {
        const element = elementOf(list, item)
        at = elementText(element)
        if (seen.has(element) && !repeats) errors.push({ path, message: `duplicate entries for key ${at}` })
        seen.add(element)
      } catch (error) {
        if (!(error instanceof EntryError)) throw error
        errors.push({ path, message: `element ${i}: ${error.message}` })
        return
      }
    }
    check(list.element, item, path + at, repeats, errors)
  }
}

