// JSONPath as printer columns use it: `.a.b`, `['a.b']`, `[0]`, `[*]`, `[?(@.x=="y")]`. Compiled once, then run per row.

import type { Json } from '../schema/types.ts'

type Step = (values: Json[]) => Json[]

const STEP = /\.([A-Za-z0-9_$/-]+(?:\\\.[A-Za-z0-9_$/-]+)*)|\.?\[\s*(?:'([^']*)'|"([^"]*)"|(-?\d+)|(\*)|\?\(\s*@((?:\.[A-Za-z0-9_-]+)*)\s*(?:(==|!=|<=|>=|<|>)\s*("[^"]*"|'[^']*'|[^)\s]+)\s*)?\))\s*\]|\.(\*)/gy

/** What the path leads to, in order. A path outside the dialect throws a SyntaxError. */
export function compilePath(path: string): (root: Json) => Json[] {
  const text = path.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '')
  const steps: Step[] = []
  for (let from = 0; from < text.length;) {
    STEP.lastIndex = from
    const match = STEP.exec(text)
    from = STEP.lastIndex
    if (match === null) throw new SyntaxError(`"${path}" is no JSONPath that printer columns know`)
    const [, child, single, double, index, star, inner, operator, literal, dotStar] = match
    const name = child?.replaceAll('\\.', '.') ?? single ?? double
    if (name !== undefined) steps.push(values => values.flatMap(value => childOf(value, name)))
    else if (index !== undefined) steps.push(values => values.flatMap(value => Array.isArray(value) ? value.at(Number(index)) ?? [] : []))
    else if (star !== undefined || dotStar !== undefined) steps.push(values => values.flatMap(all))
    else {
      const reach = inner === undefined || inner === '' ? (value: Json): Json[] => [value] : compilePath(inner)
      const wanted = literal === undefined ? undefined : literalOf(literal)
      steps.push(values => values.flatMap(all).filter(value => reach(value).some(found => wanted === undefined || compare(found, operator ?? '==', wanted))))
    }
  }
  return root => steps.reduce<Json[]>((values, step) => step(values), [root])
}

const childOf = (value: Json, name: string): Json[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name) ? [value[name]!] : []

const all = (value: Json): Json[] => Array.isArray(value) ? value : typeof value === 'object' && value !== null ? Object.values(value) : []

function literalOf(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1)
  return text === 'true' ? true : text === 'false' ? false : Number(text)
}

function compare(left: Json, operator: string, right: Json): boolean {
  switch (operator) {
    case '==': return left === right
    case '!=': return left !== right
    default:
      if (typeof left !== typeof right || left === null || right === null) return false
      return operator === '<' ? left < right : operator === '>' ? left > right : operator === '<=' ? left <= right : left >= right
  }
}
