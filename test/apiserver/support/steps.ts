// The language of the cases: requests one after the other, which may speak of earlier answers.

import type { Answer, Asked, Endpoint } from './endpoint.ts'
import { mask } from './mask.ts'

export interface Step {
  method: string
  path: string | ((seen: Seen) => string)
  /** An object is sent as JSON, a text as it is. */
  body?: unknown
  headers?: Record<string, string>
  /** Asks again until this holds: for what a server does in its own time. */
  until?: (answer: Answer) => boolean
  /** What of the answer is compared; by default all. */
  compare?: 'code' | 'nothing' | 'metadata' | ((body: unknown) => unknown)
}

export interface Case { name: string; steps: Step[] }

/** Answers so far, unmasked: metadata of the last object, and all of them. */
export class Seen {
  readonly answers: Answer[] = []
  get last(): Answer { return this.answers.at(-1)! }
  meta(at = -1): { uid: string; resourceVersion: string; name: string; continue: string } {
    return (this.answers.at(at)!.body as { metadata: { uid: string; resourceVersion: string; name: string; continue: string } }).metadata
  }
}

export interface Masked { step: string; code: number; type: string; warnings: unknown; body: unknown }

const DEADLINE = 30_000

export async function play({ steps }: Case, endpoint: Endpoint): Promise<Masked[]> {
  const seen = new Seen()
  const masked: Masked[] = []
  for (const [at, step] of steps.entries()) {
    const asked = askedOf(step, seen)
    const deadline = performance.now() + DEADLINE
    let answer = await endpoint.ask(asked)
    while (step.until !== undefined && !step.until(answer)) {
      if (performance.now() > deadline) throw new Error(`${endpoint.name}: step ${at + 1}, ${asked.method} ${asked.path}, was never as wanted; at last: ${JSON.stringify(answer)}`)
      answer = await endpoint.ask(asked)
    }
    seen.answers.push(answer)
    masked.push(maskedOf(`${at + 1}. ${asked.method} ${typeof step.path === 'string' ? step.path : '(of an answer)'}`, step, answer))
  }
  return masked
}

function askedOf({ method, path, body, headers = {} }: Step, seen: Seen): Asked {
  const value = typeof body === 'function' ? (body as (seen: Seen) => unknown)(seen) : body
  const text = value === undefined ? undefined : typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)
  return { method, path: typeof path === 'string' ? path : path(seen), body: text, headers: { ...text === undefined ? {} : { 'content-type': 'application/json' }, ...headers } }
}

function maskedOf(step: string, { compare }: Step, { code, type, warnings, body }: Answer): Masked {
  const none = { step, code: 0, type: '', warnings: [], body: undefined }
  if (compare === 'nothing') return none
  if (compare === 'code') return { ...none, code }
  const shown = compare === 'metadata' ? (body as { metadata?: unknown }).metadata : typeof compare === 'function' ? compare(body) : body
  return { step, code, type, warnings: mask(warnings), body: mask(shown) }
}

export const get = (path: Step['path'], more: Partial<Step> = {}): Step => ({ method: 'GET', path, ...more })
export const post = (path: Step['path'], body: unknown, more: Partial<Step> = {}): Step => ({ method: 'POST', path, body, ...more })
export const put = (path: Step['path'], body: unknown, more: Partial<Step> = {}): Step => ({ method: 'PUT', path, body, ...more })
export const remove = (path: Step['path'], body?: unknown, more: Partial<Step> = {}): Step => ({ method: 'DELETE', path, body, ...more })

const patchOf = (type: string) => (path: Step['path'], body: unknown, more: Partial<Step> = {}): Step => ({ method: 'PATCH', path, body, ...more, headers: { 'content-type': type, ...more.headers } })
export const merge = patchOf('application/merge-patch+json')
export const json = patchOf('application/json-patch+json')
export const strategic = patchOf('application/strategic-merge-patch+json')
export const apply = patchOf('application/apply-patch+yaml')

/** Prepares or cleans up; what it answers is no part of the case. */
export const quietly = (step: Step): Step => ({ ...step, compare: 'nothing' })
