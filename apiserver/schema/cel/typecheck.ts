// Checks the rules of a definition before it is served: whether they compile, with the types that the schema gives.

import type { ASTNode, Environment } from '@marcbachmann/cel-js'
import { invalid, required } from '../fielderror.ts'
import { inOrder } from '../json/gotext.ts'
import { languageOnly } from './environment.ts'
import { escapeName } from './names.ts'
import { compileMessage, fieldPathLeads, mentions, useOurs } from './program.ts'
import { asResource } from './values.ts'
import type { FieldError, SchemaNode, ValidationRule } from '../types.ts'

/** Where a rule stands: whether the whole of it is a resource, and the list or map above whose entries have no past. */
export interface Standing { readonly isResource: boolean; readonly uncorrelatable: string | undefined }

/** Everything wrong with the rules at a node; `place` leads to the node. */
export function ruleErrors(node: SchemaNode, place: string, standing: Standing): FieldError[] {
  const rules = node['x-kubernetes-validations'] ?? []
  if (rules.length === 0) return []
  const env = languageOnly()
  const type = typeOf(env, standing.isResource ? asResource(node) : node, { count: 0 })
  env.registerVariable('self', type)
  const [strict, lenient] = [type, `optional<${type}>`].map(old => env.clone().registerVariable('oldSelf', old)) as [Environment, Environment]
  return rules.flatMap((rule, i) => errorsOf(rule, node, rule.optionalOldSelf === true ? lenient : strict, `${place}.x-kubernetes-validations[${i}]`, standing))
}

function errorsOf(rule: ValidationRule, node: SchemaNode, env: Environment, place: string, { uncorrelatable }: Standing): FieldError[] {
  if (rule.rule.trim() === '') return [required(`${place}.rule`, 'rule is not specified')]
  const { ast, problem } = check(env, rule.rule, 'bool')
  const message = rule.messageExpression === undefined || rule.messageExpression === '' ? undefined : check(env, rule.messageExpression, 'string').problem
  const usesOldSelf = ast !== undefined && mentions(ast, 'oldSelf')
  return [
    ...problem === undefined ? [] : [ofRule(`${place}.rule`, rule, problem)],
    ...message === undefined ? [] : [ofRule(`${place}.messageExpression`, rule, message)],
    ...usesOldSelf && uncorrelatable !== undefined
      ? [invalid(`${place}.rule`, rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`)] : [],
    ...!usesOldSelf && problem === undefined && rule.optionalOldSelf !== undefined ? [invalid(`${place}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule')] : [],
    ...rule.fieldPath !== undefined && rule.fieldPath !== '' && !fieldPathLeads(node, rule.fieldPath) ? [invalid(`${place}.fieldPath`, rule.fieldPath, 'must be a valid path')] : [],
  ]
}

/** A complaint that shows the whole rule, as its Go type prints it. */
function ofRule(field: string, { rule, message = '', messageExpression = '', reason, fieldPath = '', optionalOldSelf }: ValidationRule, problem: string): FieldError {
  const shown = { Rule: rule, Message: message, MessageExpression: messageExpression, Reason: reason ?? null, FieldPath: fieldPath, OptionalOldSelf: optionalOldSelf ?? null }
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${inOrder(shown)}: ${problem}` }
}

function check(env: Environment, text: string, wanted: 'bool' | 'string'): { ast: ASTNode | undefined; problem: string | undefined } {
  try {
    const program = env.parse(text)
    useOurs(program.ast)
    const { valid, type, error } = program.check()
    if (!valid) return { ast: program.ast, problem: compileMessage(error!, text) }
    if (type === wanted || type === 'dyn') return { ast: program.ast, problem: undefined }
    return { ast: program.ast, problem: wanted === 'bool' ? 'cel expression must evaluate to a bool' : 'messageExpression must evaluate to a string' }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { ast: undefined, problem: compileMessage(error, text) }
  }
}

/** The name of a schema's type; objects get one of their own, with the fields that rules see. */
function typeOf(env: Environment, schema: SchemaNode | undefined, named: { count: number }): string {
  if (schema === undefined || schema['x-kubernetes-int-or-string'] === true) return 'dyn'
  switch (schema.type) {
    case 'string': return textType(schema.format)
    case 'integer': return 'int'
    case 'number': return 'double'
    case 'boolean': return 'bool'
    case 'array': return `list<${typeOf(env, schema.items, named)}>`
    case 'object': return schema.additionalProperties !== undefined && schema.properties === undefined
      ? `map<string, ${typeof schema.additionalProperties === 'object' ? typeOf(env, schema.additionalProperties, named) : 'dyn'}>`
      : objectType(env, schema['x-kubernetes-embedded-resource'] === true ? asResource(schema) : schema, named)
    case undefined: return 'dyn'
  }
}

function textType(format: string | undefined): string {
  switch (format?.replaceAll('-', '')) {
    case 'byte': return 'bytes'
    case 'date': case 'datetime': return 'google.protobuf.Timestamp'
    case 'duration': return 'google.protobuf.Duration'
    default: return 'string'
  }
}

function objectType(env: Environment, schema: SchemaNode, named: { count: number }): string {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const called = escapeName(name)
    return called === undefined ? [] : [[called, typeOf(env, inner, named)] as const]
  })
  const name = `object${named.count++}`
  env.registerType(name, { fields: Object.fromEntries(fields) })
  env.registerOperator(`${name} == ${name}`, () => true)
  return name
}
