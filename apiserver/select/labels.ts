// Label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>5`, by the grammar of k8s.io/apimachinery/pkg/labels.

import { badRequest } from '../registry/failure.ts'
import { labelValue, qualifiedName } from '../schema/index.ts'

type Labels = Readonly<Record<string, string>>

interface Requirement { key: string; operator: 'in' | 'notin' | 'exists' | 'absent' | '>' | '<'; values: readonly string[] }

export interface LabelSelector { matches(labels: Labels | undefined): boolean }

const EVERYTHING: LabelSelector = { matches: () => true }

const TOKEN = /\s*(?:(==|!=|=|!|\(|\)|,|>|<)|([^\s=!(),<>]+))/gy

/** Throws ApiFailure 400 in kube-apiserver's words. */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.trim() === '') return EVERYTHING
  const requirements = new Parser(text).parse()
  return { matches: labels => requirements.every(one => holds(one, labels ?? {})) }
}

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists': return value !== undefined
    case 'absent': return value === undefined
    case 'in': return value !== undefined && values.includes(value)
    case 'notin': return value === undefined || !values.includes(value)
    case '>': return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0]!)
    case '<': return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0]!)
  }
}

class Parser {
  readonly #tokens: string[] = []
  #at = 0

  constructor(text: string) {
    TOKEN.lastIndex = 0
    const trimmed = text.trimEnd()
    while (TOKEN.lastIndex < trimmed.length) {
      const match = TOKEN.exec(trimmed)
      if (match === null) break
      this.#tokens.push(match[1] ?? match[2]!)
    }
  }

  parse(): Requirement[] {
    const found: Requirement[] = []
    const [first] = this.#tokens
    if (first !== '!' && (first === undefined || isOperator(first))) throw badRequest(`found '${first ?? ''}', expected: !, identifier, or 'end of string'`)
    for (;;) {
      found.push(this.#requirement())
      const next = this.#next()
      if (next === undefined) return found
      if (next !== ',') throw badRequest(`found '${next}', expected: ',' or 'end of string'`)
      const following = this.#peek()
      if (following !== '!' && (following === undefined || isOperator(following))) throw badRequest(`found '${following ?? ''}', expected: identifier after ','`)
    }
  }

  #peek(): string | undefined { return this.#tokens[this.#at] }
  #next(): string | undefined { return this.#tokens[this.#at++] }

  #requirement(): Requirement {
    const absent = this.#peek() === '!'
    if (absent) this.#at++
    const key = this.#next()
    if (key === undefined || isOperator(key)) throw unparsable(`found '${key ?? ''}', expected: identifier`)
    checkKey(key)
    const next = this.#peek()
    if (absent) return { key, operator: 'absent', values: [] }
    if (next === undefined || next === ',') return { key, operator: 'exists', values: [] }
    this.#at++
    switch (next) {
      case '=':
      case '==': return { key, operator: 'in', values: [checkValue(key, this.#value())] }
      case '!=': return { key, operator: 'notin', values: [checkValue(key, this.#value())] }
      case '>':
      case '<': {
        const value = this.#value()
        if (!/^-?\d+$/.test(value)) throw badRequest(`unable to parse requirement: values[0]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer`)
        return { key, operator: next, values: [value] }
      }
      case 'in':
      case 'notin': return { key, operator: next, values: this.#values().map(value => checkValue(key, value)) }
      default: throw unparsable(`found '${next}', expected: in, notin, =, ==, !=, gt, lt`)
    }
  }

  /** One that is missing is the empty value. */
  #value(): string {
    const next = this.#peek()
    if (next === undefined || next === ',') return ''
    if (isOperator(next)) throw unparsable(`found '${next}', expected: identifier`)
    this.#at++
    return next
  }

  #values(): string[] {
    const open = this.#next()
    if (open !== '(') throw unparsable(`found '${open ?? ''}' expected: '('`)
    const values: string[] = []
    for (let expectValue = true; ;) {
      const next = this.#next()
      if (next === ')') return expectValue ? [...values, ''] : values
      if (next === ',') {
        if (expectValue) values.push('')
        expectValue = true
      } else if (next !== undefined && !isOperator(next) && expectValue) {
        values.push(next)
        expectValue = false
      } else throw unparsable(`found '${next ?? ''}', expected: ',' or ')'`)
    }
  }
}

const isOperator = (token: string): boolean => /^[=!(),<>]/.test(token)

const unparsable = (why: string): Error => badRequest(`unable to parse requirement: ${why}`)

function checkKey(key: string): void {
  const [wrong] = qualifiedName(key)
  if (wrong !== undefined) throw badRequest(`unable to parse requirement: <nil>: Invalid value: "${key}": ${wrong}`)
}

function checkValue(key: string, value: string): string {
  const [wrong] = labelValue(value)
  if (wrong !== undefined) throw badRequest(`unable to parse requirement: values[0][${key}]: Invalid value: "${value}": ${wrong}`)
  return value
}
