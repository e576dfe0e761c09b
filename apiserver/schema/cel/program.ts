// Compiles the texts of rules, once each.

import { ParseError, type ASTNode, type ParseResult } from '@marcbachmann/cel-js'
import { child } from '../fielderror.ts'
import { environment, replacedMethods } from './environment.ts'
import type { SchemaNode, ValidationRule } from '../types.ts'

export interface Program {
  readonly run: ParseResult
  readonly message: ParseResult | undefined
  readonly usesOldSelf: boolean
  /** Below the field that the rule stands at. */
  readonly fieldPath: string
}

/** A text that is no expression; a definition that was checked has none. */
export class CompileError extends Error {}

/** Why a text does not compile, where, and the line that it is in, as cel-go writes it. */
export function compileMessage(error: Error, text: string): string {
  const { at, says } = complaintOf(error, text)
  const before = text.slice(0, at).split('\n')
  const column = before.at(-1)!.length
  return `compilation failed: ERROR: <input>:${before.length}:${column + 1}: ${says}\n | ${text.split('\n')[before.length - 1]}\n | ${'.'.repeat(column)}^`
}

function complaintOf(error: Error, text: string): { at: number; says: string } {
  const says = error.message.split('\n')[0]!
  if (error instanceof ParseError) return { at: error.range?.start ?? 0, says: `Syntax error: ${says}` }
  const { code, node } = error as Error & { code?: string; node?: Partial<ASTNode> }
  const args = Array.isArray(node?.args) ? node.args as unknown[] : []
  const first = args.find(isNode)
  const after = first !== undefined && node?.op !== 'call' ? first.end : node?.start ?? 0
  const operands = /^no such overload: (?:dyn<)?(.+?)>? ([^ ]+) (?:dyn<)?(.+?)>?$/.exec(says)
  if (code === 'no_such_key') return { at: text.indexOf('.', after), says: `undefined field '${says.replace(/^No such key: /, '')}'` }
  if (code === 'no_such_overload' && operands) return { at: text.indexOf(operands[2]!, after), says: `found no matching overload for '_${operands[2]}_' applied to '(${operands[1]}, ${operands[3]})'` }
  const [called] = args
  if (code === 'no_matching_overload' && typeof called === 'string') return { at: text.indexOf('(', text.indexOf(called, after)), says: `undeclared reference to '${called}' (in container '')` }
  return { at: node?.start ?? 0, says }
}

const programs = new WeakMap<ValidationRule, Program>()

/** Throws CompileError. */
export function programOf(rule: ValidationRule): Program {
  let program = programs.get(rule)
  if (program === undefined) {
    const run = compileText(rule.rule)
    const message = rule.messageExpression === undefined || rule.messageExpression === '' ? undefined : compileText(rule.messageExpression)
    const fieldPath = (fieldPathParts(rule.fieldPath ?? '') ?? []).reduce((path, name) => child(path, name), '')
    programs.set(rule, program = { run, message, usesOldSelf: mentions(run.ast, 'oldSelf'), fieldPath })
  }
  return program
}

/** Compiled texts: the same rule stands at many fields. */
const compiled = new Map<string, ParseResult>()
const maxCompiled = 10_000

function compileText(text: string): ParseResult {
  const known = compiled.get(text)
  if (known) return known
  try {
    const program = environment().parse(text)
    useOurs(program.ast)
    const { valid, error } = program.check()
    if (!valid) throw error!
    if (compiled.size >= maxCompiled) compiled.clear()
    compiled.set(text, program)
    return program
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    throw new CompileError(compileMessage(cause, text), { cause })
  }
}

const isNode = (value: unknown): value is ASTNode => typeof value === 'object' && value !== null && 'op' in value && 'args' in value

function visit(value: unknown, see: (node: ASTNode) => void): void {
  if (Array.isArray(value)) for (const item of value) visit(item, see)
  else if (isNode(value)) {
    see(value)
    visit(value.args, see)
  }
}

/** Calls of some methods go to our own, before the library looks them up. */
export function useOurs(ast: ASTNode): void {
  visit(ast, node => {
    if (node.op === 'rcall') node.args[0] = replacedMethods.get(node.args[0]) ?? node.args[0]
  })
}

/** Whether an expression names a variable. */
export function mentions(ast: ASTNode, variable: string): boolean {
  let found = false
  visit(ast, node => { found ||= node.op === 'id' && node.args === variable })
  return found
}

/** `.spec['a.b']` → spec, a.b; undefined for what is no such path. */
function fieldPathParts(text: string): string[] | undefined {
  const parts = [...text.matchAll(/[.]([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/g)]
  return parts.map(([part]) => part).join('') === text ? parts.map(([, name, quoted]) => name ?? quoted!.replaceAll(/\\(.)/g, '$1')) : undefined
}

/** Whether a fieldPath leads to a field of the schema, or to an entry of a map. */
export function fieldPathLeads(schema: SchemaNode, text: string): boolean {
  let at: SchemaNode | undefined = schema
  for (const name of fieldPathParts(text) ?? ['']) {
    at = at?.properties !== undefined ? Object.hasOwn(at.properties, name) ? at.properties[name] : undefined : typeof at?.additionalProperties === 'object' ? at.additionalProperties : undefined
  }
  return at !== undefined
}
