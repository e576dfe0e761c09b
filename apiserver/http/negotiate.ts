// In which form the client wants its answer: JSON or YAML, the object itself, a table, or its metadata alone.

import { notAcceptable } from '../registry/failure.ts'

export type Transform = 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'

export interface Wanted {
  format: 'json' | 'yaml'
  /** Spaces and line breaks for a person. */
  pretty: boolean
  transform?: Transform
  /** Of meta.k8s.io. */
  transformVersion?: string
  /** As the client asked: of aggregated discovery and the like. */
  parameters: Record<string, string>
}

export interface MediaRange { type: string; parameters: Record<string, string>; quality: number }

/** The ranges of an Accept header, the most wanted first; of equal ones in the order given. */
export function parseAccept(header: string): MediaRange[] {
  const ranges = header.split(',').flatMap(text => {
    const [type = '', ...rest] = text.split(';').map(part => part.trim())
    if (type === '') return []
    const parameters = Object.fromEntries(rest.map(part => { const at = part.indexOf('='); return at < 0 ? [part, ''] : [part.slice(0, at).toLowerCase(), part.slice(at + 1).replace(/^"(.*)"$/, '$1')] }))
    const quality = Number(parameters['q'] ?? 1)
    return [{ type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 }]
  })
  return ranges.toSorted((a, b) => b.quality - a.quality)
}

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

const FORMATS: Record<string, 'json' | 'yaml'> = { 'application/json': 'json', 'application/yaml': 'yaml', 'application/x-yaml': 'yaml', '*/*': 'json', 'application/*': 'json' }

const TRANSFORMS: Record<string, Transform> = { Table: 'Table', PartialObjectMetadata: 'PartialObjectMetadata', PartialObjectMetadataList: 'PartialObjectMetadataList' }

/** Throws ApiFailure 406 where none of the ranges can be served. `transforms`: those that the endpoint offers. */
export function negotiate(accept: string | undefined, pretty: boolean, transforms: readonly Transform[]): Wanted {
  for (const { type, parameters } of parseAccept(accept === undefined || accept.trim() === '' ? '*/*' : accept)) {
    const format = FORMATS[type]
    if (format === undefined) continue
    const { as, g, v } = parameters
    if (as === undefined) return { format, pretty, parameters }
    const transform = TRANSFORMS[as]
    if (transform !== undefined && transforms.includes(transform) && g === 'meta.k8s.io' && (v === 'v1' || v === 'v1beta1')) return { format, pretty, transform, transformVersion: v, parameters }
  }
  throw notAcceptable(ACCEPTED)
}
