// Reads what a client sends, within limits, and makes a JSON value of it.

import type { IncomingMessage } from 'node:http'
import type { ScalarTag, Tags } from 'yaml'
import { type ApiFailure, badRequest, entityTooLarge, unsupportedMediaType } from '../registry/failure.ts'
import { parseStrict, strictComplaints } from '../schema/index.ts'
import type { Json, JsonObject } from '../schema/types.ts'

/** kube-apiserver's limit of a request, bytes. */
const MAX_BODY = 3 * 1024 * 1024
/** Brackets within brackets: more than any schema has, and few enough for a recursion. */
const MAX_DEPTH = 500

export interface Parsed { value: Json; /** What is said of keys that came more than once. */ complaints: string[] }

/** A body that cannot be parsed; the message is the parser's. */
export class Unparsable extends Error {}

/** Rejects with ApiFailure 413 beyond MAX_BODY. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = (): ApiFailure => entityTooLarge(`Request entity too large: limit is ${MAX_BODY}`)
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY) chunks.push(chunk)
    else reject(tooLarge())
  })
  request.once('end', () => { resolve(Buffer.concat(chunks)) })
  request.once('error', reject)
  if (request.destroyed) throw badRequest('the body of the request broke off')
  request.once('close', () => { reject(badRequest('the body of the request broke off')) })
  return await promise
}

export const mediaType = (request: IncomingMessage): string => (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()

const OBJECT_TYPES: Record<string, 'json' | 'yaml'> = { '': 'json', 'application/json': 'json', 'application/yaml': 'yaml', 'application/x-yaml': 'yaml' }

/** Throws ApiFailure 415 for a type that is neither JSON nor YAML. */
export function formatOf(type: string): 'json' | 'yaml' {
  const format = OBJECT_TYPES[type]
  if (format === undefined) throw unsupportedMediaType(['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'])
  return format
}

/** Throws Unparsable, and ApiFailure 400 or 413 for what is too deep or too large. */
export async function parseBody(body: Buffer, format: 'json' | 'yaml'): Promise<Parsed> {
  if (format === 'yaml') return await parseYaml(body)
  checkDepth(body)
  try {
    const { value, duplicates } = parseStrict(decode(body))
    return { value, complaints: strictComplaints(duplicates, []) }
  } catch (error) {
    if (error instanceof SyntaxError) throw new Unparsable(error.message)
    throw error
  }
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new Unparsable('it is not valid UTF-8')
  }
}

/**
 * To Kubernetes' reader dates and numbers to the base of 60 are texts (a MAC address of digits is none of them), and so is a lone
 * point or sign, as in managedFields, which the library takes for a number that is none.
 */
const asKubernetes = (tags: Tags): Tags => tags.filter(tag => typeof tag !== 'object' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && !(isScalarTag(tag) && tag.format === 'TIME'))).map(tag => typeof tag === 'object' && isScalarTag(tag) && tag.test?.test('.') === true ? { ...tag, test: new RegExp(`^(?=.*[0-9])(?:${tag.test.source})`) } : tag)

const isScalarTag = (tag: Exclude<Tags[number], string>): tag is ScalarTag => tag.collection === undefined

/** JSON has no way to say these. */
function finite(_: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unparsable(`yaml: ${value} is no number of JSON`)
  return value
}

async function parseYaml(body: Buffer): Promise<Parsed> {
  const { LineCounter, parseDocument } = await import('yaml')
  const lineCounter = new LineCounter()
  const text = decode(body)
  let document: ReturnType<typeof parseDocument>
  let value: unknown
  try {
    // YAML 1.1, as kubectl and kube-apiserver read it.
    document = parseDocument(text, { version: '1.1', uniqueKeys: false, schema: 'yaml-1.1', merge: true, lineCounter, customTags: asKubernetes })
    const [error] = document.errors
    if (error !== undefined) throw error
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new Unparsable(`yaml: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
  }
  const json = Buffer.from(JSON.stringify(value ?? null, finite))
  if (json.length > MAX_BODY) throw entityTooLarge(`Request entity too large: limit is ${MAX_BODY}`)
  checkDepth(json)
  return { value: JSON.parse(json.toString('utf8')) as Json, complaints: await duplicatesOf(document.contents, offset => lineCounter.linePos(offset).line) }
}

/** In the words of Kubernetes' YAML reader. */
async function duplicatesOf(root: unknown, lineOf: (offset: number) => number): Promise<string[]> {
  const { isMap, isScalar, isSeq } = await import('yaml')
  const found: string[] = []
  const visit = (node: unknown): void => {
    if (isMap(node)) {
      const seen = new Set<string>()
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key)
        if (seen.has(name)) found.push(`line ${isScalar(key) && key.range ? lineOf(key.range[0]) : 0}: key ${JSON.stringify(name)} already set in map`)
        seen.add(name)
        visit(value)
      }
    } else if (isSeq(node)) for (const item of node.items) visit(item)
  }
  visit(root)
  return found
}

/** Counts brackets outside of strings, before anything recurses into them. */
function checkDepth(body: Buffer): void {
  let depth = 0
  let inString = false
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (inString) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) throw badRequest(`the body of the request nests deeper than ${MAX_DEPTH} levels`)
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
}

/** Throws ApiFailure 400 with `refuse` for a list, a text, a number, in the words of Go's decoder. */
export function asObject(value: Json, refuse: (why: string) => ApiFailure): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  if (value === null) throw refuse("Object 'Kind' is missing in 'null'")
  throw refuse(`couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`)
}

export const goType = (value: Json): string => Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value

/** As much of a body as an error message shows. */
export function summary(body: Buffer): string {
  if (body.length === 0) return '<empty>'
  const [text, size] = body[0] === 0x7b ? ['utf8' as const, 30] : ['hex' as const, 30]
  return body.length > size ? `${body.toString(text, 0, size)} ...` : body.toString(text)
}
