// Checks a value against a schema: types, bounds, enumerations, formats, required fields, and the logical keywords.
//
// Order and words are those of kube-openapi's validator, which clients see in the causes of an Invalid status.

import { isObject, equal } from './json/equal.ts'
import { child, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from './fielderror.ts'
import { hasFormat, knowsFormat } from './formats.ts'
import { number, quote, runes } from './json/gotext.ts'
import { pairAtEntry, pairAtField, unchanged, type Pair } from './correlate.ts'
import { matches } from './regex.ts'
import type { FieldError, Json, JsonObject, SchemaNode } from './types.ts'

/** Complaints about a value, each once, and how many checks were made: of several alternatives the one with most checks is reported. */
class Outcome {
  readonly errors: FieldError[] = []
  checks = 0
  readonly #said = new Set<string>()

  add(...errors: FieldError[]): void {
    for (const error of errors) {
      const sentence = `${error.field}\n${error.message}`
      if (this.#said.has(sentence)) continue
      this.#said.add(sentence)
      this.errors.push(error)
    }
  }

  merge(other: Outcome): void {
    this.add(...other.errors)
    this.checks += other.checks
  }

  get fine(): boolean { return this.errors.length === 0 }
}

/** Everything wrong with a value at a path; of what `pair` says was so before, nothing. */
export const validateValue = (schema: SchemaNode, value: Json, path: string, pair?: Pair): FieldError[] => check(schema, value, path, pair).errors

function check(schema: SchemaNode, value: Json, path: string, pair: Pair | undefined): Outcome {
  const outcome = checkAnew(schema, value, path, pair)
  return !outcome.fine && unchanged(pair) ? new Outcome() : outcome
}

function checkAnew(schema: SchemaNode, value: Json, path: string, pair: Pair | undefined): Outcome {
  const outcome = new Outcome()
  if (value === null) {
    outcome.add(...checkType(schema, value, path), ...checkEnum(schema, value, path))
    return outcome
  }
  const step = (...errors: FieldError[]): void => {
    outcome.add(...errors)
    outcome.checks++
  }
  if (typesOf(schema).length > 0 || schema.format !== undefined) step(...checkType(schema, value, path))
  outcome.merge(checkLogic(schema, value, path))
  if (typeof value === 'string') {
    step(...checkText(schema, value, path))
    if (schema.format !== undefined && schema.type === 'string' && knowsFormat(schema.format)) step(...checkFormat(schema.format, value, path))
  }
  if (typeof value === 'number') step(...checkNumber(schema, value, path))
  if (Array.isArray(value)) outcome.merge(checkList(schema, value, path, pair))
  step(...checkEnum(schema, value, path))
  if (isObject(value)) outcome.merge(checkObject(schema, value, path, pair))
  outcome.checks++
  return outcome
}

const typesOf = (schema: SchemaNode): string[] => schema['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : schema.type === undefined ? [] : [schema.type]

function typeOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const says = (path: string, sentence: string): string => `${path} in body ${sentence}`
/** The message of the type's complaint quotes what was found. */
const wrongType = (path: string, type: string, found: string): FieldError => typeInvalid(path, found, says(path, `must be of type ${type}: ${quote(found)}`))

function checkType(schema: SchemaNode, value: Json, path: string): FieldError[] {
  const types = typesOf(schema)
  const found = typeOf(value)
  if (value === null) return types.length > 0 && schema.nullable !== true ? [wrongType(path, types.join(','), found)] : []
  const fits = types.includes(found) || (found === 'integer' && types.includes('number'))
  if (fits || types.length === 0) return []
  const format = schema.format !== undefined && knowsNumberFormat(schema.format, schema.type) ? schema.format : undefined
  if (format !== undefined && found !== 'string' && found !== 'array') {
    return [wrongType(path, format, found === 'number' ? 'float64' : found === 'integer' ? 'int64' : '')]
  }
  return [wrongType(path, types.join(','), found)]
}

const knowsNumberFormat = (format: string, type: SchemaNode['type']): boolean =>
  type === 'integer' ? ['int32', 'int64'].includes(format) : type === 'number' ? ['float', 'double'].includes(format) : knowsFormat(format)

function checkEnum(schema: SchemaNode, value: Json, path: string): FieldError[] {
  if (schema.enum === undefined || schema.enum.length === 0 || schema.enum.some(allowed => allowed !== null && equal(allowed, value))) return []
  return [notSupported(path, value, schema.enum)]
}

function checkText(schema: SchemaNode, value: string, path: string): FieldError[] {
  const { maxLength, minLength, pattern } = schema
  if (maxLength !== undefined || minLength !== undefined) {
    const length = runes(value)
    if (maxLength !== undefined && length > maxLength) return [tooLong(path, maxLength)]
    if (minLength !== undefined && length < minLength) return [invalid(path, value, says(path, `should be at least ${minLength} chars long`))]
  }
  if (pattern === undefined || pattern === '' || matches(pattern, value)) return []
  return [invalid(path, value, says(path, `should match '${pattern}'`))]
}

const checkFormat = (format: string, value: string, path: string): FieldError[] =>
  hasFormat(format, value) ? [] : [typeInvalid(path, value, says(path, `must be of type ${format}: ${quote(value)}`))]

function checkNumber(schema: SchemaNode, value: number, path: string): FieldError[] {
  const { multipleOf, maximum, minimum } = schema
  const errors: FieldError[] = []
  const bound = (sentence: string, limit: number): void => { errors.push(invalid(path, value, says(path, `${sentence} ${number(limit)}`))) }
  const limit = schema.format === 'int32' ? 2 ** 31 : 2 ** 63
  if (schema.type === 'integer' && (!Number.isInteger(value) || value >= limit || value < -limit)) {
    errors.push(invalid('', '', `Checked value must be of type integer ${schema.format === 'int32' || schema.format === 'int64' ? `with format ${schema.format}` : '(default format)'} in ${path}`))
  }
  if (schema.type === 'number' && schema.format === 'float' && Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
    errors.push(invalid('', '', `Checked value must be of type number with format float in ${path}`))
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) bound('should be a multiple of', multipleOf)
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    bound(schema.exclusiveMinimum === true ? 'should be greater than' : 'should be greater than or equal to', minimum)
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    bound(schema.exclusiveMaximum === true ? 'should be less than' : 'should be less than or equal to', maximum)
  }
  return errors
}

function isMultiple(value: number, factor: number): boolean {
  const times = factor < 1 ? 1 / factor * value : value / factor
  return Number.isInteger(times) || Math.abs(times - Math.round(times)) < 1e-9
}

function checkList(schema: SchemaNode, list: Json[], path: string, pair: Pair | undefined): Outcome {
  const outcome = new Outcome()
  if (schema.items !== undefined) {
    for (const [i, item] of list.entries()) outcome.merge(check(schema.items, item, `${path}[${i}]`, pairAtEntry(pair, i)))
  }
  if (schema.minItems !== undefined && list.length < schema.minItems) outcome.add(invalid(path, list.length, says(path, `should have at least ${schema.minItems} items`)))
  if (schema.maxItems !== undefined && list.length > schema.maxItems) outcome.add(tooMany(path, list.length, schema.maxItems))
  if (schema.uniqueItems === true && list.some((item, i) => list.slice(0, i).some(other => equal(item, other)))) {
    outcome.add(invalid(path, '', says(path, "shouldn't contain duplicates")))
  }
  outcome.checks += 2
  return outcome
}

function checkObject(schema: SchemaNode, object: JsonObject, path: string, pair: Pair | undefined): Outcome {
  const outcome = new Outcome()
  const { properties = {}, additionalProperties: others, minProperties, maxProperties } = schema
  const count = Object.keys(object).length
  if (minProperties !== undefined && count < minProperties) outcome.add(invalid(path, count, says(path, `should have at least ${minProperties} properties`)))
  if (maxProperties !== undefined && count > maxProperties) outcome.add(tooMany(path, count, maxProperties))
  if (typeof others === 'object') {
    for (const [name, value] of Object.entries(object)) {
      if (!Object.hasOwn(properties, name)) outcome.merge(check(others, value, child(path, name), pairAtField(pair, name)))
    }
  }
  for (const [name, known] of Object.entries(properties)) {
    if (!Object.hasOwn(object, name)) continue
    const correlated = path === '' && (name === 'apiVersion' || name === 'kind') ? undefined : pairAtField(pair, name)
    outcome.merge(check(known, object[name]!, child(path, name), correlated))
  }
  outcome.add(...(schema.required ?? []).filter(name => !Object.hasOwn(object, name)).map(name => required(child(path, name), '')))
  outcome.checks++
  return outcome
}

/** anyOf, oneOf, allOf, not. A value below them is judged anew: what it was does not count. */
function checkLogic(schema: SchemaNode, value: Json, path: string): Outcome {
  const outcome = new Outcome()
  const alternatives = (nodes: readonly SchemaNode[]): { results: Outcome[]; valid: Outcome[]; best: Outcome | undefined } => {
    const results = nodes.map(node => check(node, value, path, undefined))
    const valid = results.filter(result => result.fine)
    const best = results.reduce<Outcome | undefined>((most, result) => most === undefined || result.checks > most.checks ? result : most, undefined)
    return { results, valid, best: valid.length > 0 ? undefined : best }
  }
  const whole = (sentence: string): FieldError => invalid('', '', `${quote(path)} ${sentence}`)
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) {
    const { valid, best } = alternatives(schema.anyOf)
    if (valid.length === 0) outcome.add(whole('must validate at least one schema (anyOf)'))
    const chosen = best ?? valid[0]
    if (chosen) outcome.merge(chosen)
  }
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) {
    const { valid, best } = alternatives(schema.oneOf)
    if (valid.length === 1) outcome.merge(valid[0]!)
    else {
      outcome.add(whole(`must validate one and only one schema (oneOf). ${valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`}`))
      if (best) outcome.merge(best)
    }
  }
  if (schema.allOf !== undefined && schema.allOf.length > 0) {
    const { results, valid } = alternatives(schema.allOf)
    for (const result of results) outcome.merge(result)
    if (valid.length !== results.length) outcome.add(whole(`must validate all the schemas (allOf)${valid.length === 0 ? '. None validated' : ''}`))
  }
  if (schema.not !== undefined && check(schema.not, value, path, undefined).fine) outcome.add(whole('must not validate the schema (not)'))
  outcome.checks++
  return outcome
}

