// Compiles the rules of a schema, and holds objects against them (x-kubernetes-validations).

import { EvaluationError, Optional } from '@marcbachmann/cel-js'
import { isObject } from '../json/equal.ts'
import { child, duplicate, entry, forbidden, invalid, key, omitted, required, type Shown } from '../fielderror.ts'
import { entryLike, mapKeys, pairAtEntry, pairAtField, unchanged, type Pair } from '../correlate.ts'
import { CompileError, programOf, type Program } from './program.ts'
import { asResource, toCel, type Converted } from './values.ts'
import type { FieldError, Json, SchemaNode, ValidationRule } from '../types.ts'

/** The rules at one place of a schema, and those below it; places without any have none. */
export interface RuleTree {
  readonly schema: SchemaNode
  readonly isResource: boolean
  readonly rules: readonly ValidationRule[]
  readonly properties: ReadonlyMap<string, RuleTree>
  readonly others: RuleTree | undefined
  readonly items: RuleTree | undefined
  readonly allOf: readonly RuleTree[]
}

/** Undefined where no rule stands at a schema or below. Rules are compiled when they are needed first. */
export const rulesIn = (schema: SchemaNode): RuleTree | undefined => treeAt(schema, schema, true)

function treeAt(node: SchemaNode, spine: SchemaNode, isResource: boolean): RuleTree | undefined {
  const rules = node['x-kubernetes-validations'] ?? []
  const properties = new Map<string, RuleTree>()
  for (const [name, inner] of Object.entries(node.properties ?? {})) {
    const tree = below(inner, spine.properties?.[name])
    if (tree) properties.set(name, tree)
  }
  const others = below(node.additionalProperties, spine.additionalProperties)
  const items = below(node.items, spine.items)
  const allOf = (node.allOf ?? []).flatMap(inner => treeAt(inner, spine, isResource) ?? [])
  if (rules.length === 0 && properties.size === 0 && !others && !items && allOf.length === 0) return undefined
  return { schema: spine, isResource, rules, properties, others, items, allOf }
}

const below = (node: SchemaNode | boolean | undefined, spine: SchemaNode | boolean | undefined): RuleTree | undefined =>
  typeof node === 'object' && typeof spine === 'object' ? treeAt(node, spine, spine['x-kubernetes-embedded-resource'] === true) : undefined

/** What is known of a value's past: the pair of its own place, and of the nearest place above that has one. */
interface Past { readonly own: Pair | undefined; readonly above: Pair | undefined }
const isUnchanged = ({ own, above }: Past): boolean => unchanged(own ?? above)

/** Everything that rules have against an object; `pair` tells what it was. */
export function validateRules(tree: RuleTree | undefined, object: Json, old: Json | undefined, pair: Pair | undefined): FieldError[] {
  const run: Run = { errors: [], now: new Map(), before: new Map() }
  if (tree) validateAt(tree, object, old, '', { own: pair, above: undefined }, run)
  return run.errors
}

/** One object that is judged: what was found, and its values of now and then as rules see them. */
interface Run { readonly errors: FieldError[]; readonly now: Converted; readonly before: Converted }

function validateAt(tree: RuleTree, value: Json, old: Json | undefined, path: string, past: Past, run: Run): void {
  if (value === null) return
  if (tree.rules.length > 0) applyRules(tree, value, old ?? undefined, path, past, run)
  for (const part of tree.allOf) validateAt(part, value, old, path, { own: undefined, above: past.above }, run)
  if (Array.isArray(value)) {
    if (!tree.items) return
    const keys = mapKeys(tree.schema)
    for (const [i, item] of value.entries()) {
      const was = keys && Array.isArray(old) && isObject(item) ? entryLike(old, item, keys) : undefined
      validateAt(tree.items, item, was, entry(path, i), pastBelow(past, pairAtEntry(past.own, i)), run)
    }
  } else if (isObject(value)) {
    for (const [name, field] of Object.entries(value)) {
      const was = isObject(old) && Object.hasOwn(old, name) ? old[name] : undefined
      const known = tree.properties.get(name)
      if (known) validateAt(known, field, was, child(path, name), pastBelow(past, pairAtField(past.own, name)), run)
      else if (tree.others && !Object.hasOwn(tree.schema.properties ?? {}, name)) validateAt(tree.others, field, was, key(path, name), pastBelow(past, pairAtField(past.own, name)), run)
    }
  }
}

const pastBelow = (past: Past, pair: Pair | undefined): Past => past.own === undefined ? past : { own: pair, above: past.own }

function applyRules(tree: RuleTree, value: Json, old: Json | undefined, path: string, past: Past, run: Run): void {
  const schema = tree.isResource ? asResource(tree.schema) : tree.schema
  const { errors } = run
  const self = toCel(value, schema, run.now)
  let oldSelf: unknown
  const was = (): unknown => oldSelf ??= old === undefined ? undefined : toCel(old, schema, run.before, value)
  for (const rule of tree.rules) {
    let program: Program
    try {
      program = programOf(rule)
    } catch (error) {
      if (!(error instanceof CompileError)) throw error
      errors.push(invalid(path, schema.type ?? '', `rule compile error: ${error.message}`))
      continue
    }
    const optional = rule.optionalOldSelf === true
    if (program.usesOldSelf && old === undefined && !optional) continue
    const variables: Record<string, unknown> = { self }
    if (program.usesOldSelf) variables.oldSelf = optional ? old === undefined ? Optional.none() : Optional.of(was()) : was()
    let held: unknown
    try {
      held = program.run(variables)
    } catch (error) {
      errors.push(invalid(path, schema.type ?? '', failure(error, rule)))
      continue
    }
    if (held === true) continue
    // What was wrong before the change and did not change is let through.
    if (!program.usesOldSelf && isUnchanged(past)) continue
    const shown = schema.type === 'object' || schema.type === 'array' ? omitted : value
    const message = messageOf(program, rule, { self, ...old === undefined ? {} : { oldSelf: was() } })
    errors.push(complaint(rule.reason, program.fieldPath === '' ? path : child(path, program.fieldPath), shown, message))
  }
}

function complaint(reason: ValidationRule['reason'], path: string, value: Shown, message: string): FieldError {
  switch (reason) {
    case 'FieldValueForbidden': return forbidden(path, message)
    case 'FieldValueRequired': return required(path, message)
    case 'FieldValueDuplicate': return duplicate(path, value)
    default: return invalid(path, value, message)
  }
}

const maxMessage = 5120

/** The message of a rule that does not hold: its expression's, where that gives one line of text. */
function messageOf(program: Program, source: ValidationRule, variables: Record<string, unknown>): string {
  if (program.message !== undefined) {
    try {
      const message: unknown = program.message(variables)
      const trimmed = typeof message === 'string' ? message.trim() : ''
      if (trimmed !== '' && !trimmed.includes('\n') && Buffer.byteLength(trimmed) <= maxMessage) return trimmed
    } catch {
      // The fixed message takes its place.
    }
  }
  return source.message === undefined || source.message === '' ? `failed rule: ${sourceOf(source)}` : source.message.trim()
}

const sourceOf = (rule: ValidationRule): string => (rule.message === undefined || rule.message === '' ? rule.rule : rule.message).trim()

/** A rule that could not be evaluated, in the words of cel-go. */
function failure(error: unknown, rule: ValidationRule): string {
  const says = error instanceof Error ? error.message.split('\n')[0]! : String(error)
  if (error instanceof EvaluationError) {
    switch (error.code) {
      case 'no_such_overload': case 'no_matching_overload':
        return `'no such overload': call arguments did not match a supported operator, function or macro signature for rule: ${sourceOf(rule)}`
      case 'no_such_key': return `${says.replace(/^No such key/, 'no such key')} evaluating rule: ${sourceOf(rule)}`
      case 'index_out_of_bounds': return `index out of bounds: ${/index (-?\d+)/.exec(says)?.[1]} evaluating rule: ${sourceOf(rule)}`
      case 'numeric_overflow': return `integer overflow evaluating rule: ${sourceOf(rule)}`
    }
  }
  return `${says} evaluating rule: ${sourceOf(rule)}`
}

