// Continue tokens: where the next page of a list begins, and the revision that all its pages show.

import { badRequest } from './failure.ts'

export interface Continue { revision: number; after: { namespace: string; name: string } }

const VERSION = 'meta.k8s.io/v1'

export const encodeContinue = ({ revision, after }: Continue, namespaced: boolean): string =>
  Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start: `${namespaced ? `${after.namespace}/` : ''}${after.name}\0` })).toString('base64url')

/** Throws ApiFailure 400. */
export function decodeContinue(token: string): Continue {
  const refuse = (why: string): Error => badRequest(`invalid continue token: continue key is not valid: ${why}`)
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
  } catch {
    throw refuse('illegal base64 data or not a token of this server')
  }
  const { v, rv, start } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>
  if (v !== VERSION) throw refuse(`server does not recognize this encoded version "${String(v)}"`)
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv < -1 || rv === 0) throw refuse('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof start !== 'string' || start === '') throw refuse('encoded start key empty (version meta.k8s.io/v1)')
  const key = start.replace(/\0$/, '')
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(key)) throw refuse(`${start}`)
  const slash = key.lastIndexOf('/')
  return { revision: rv, after: { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1) } }
}
