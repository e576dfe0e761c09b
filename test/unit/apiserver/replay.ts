// The smallest server that the core makes possible: one object in memory, no HTTP. It answers the recorded requests.

import { apply, builtinSchema, ConflictError, jsonPatch, mergePatch, PatchError, strategicMergePatch, track, type Writer } from '../../../apiserver/merge/index.ts'
import {
  applyDefaults, compileSchema, invalidMessage, metadataProblem, normalize, parseStrict, prepareCreate, prepareStatusUpdate, prepareUpdate, strictComplaints,
  validateCreate, validateStatusUpdate, validateUpdate, type FieldError, type Json, type JsonObject, type ResourceRules,
} from '../../../apiserver/schema/index.ts'
import type { Step } from '../../support/apiserver/scenarios.ts'
import { widgetSchema } from '../../support/apiserver/widget.ts'

export interface Answer { code: number; body: JsonObject }

const builtin = (apiVersion: string, kind: string): ResourceRules =>
  ({ schema: builtinSchema(apiVersion, kind)!, apiVersion, kind, namespaced: true, statusSubresource: false, hasGeneration: false })

const resources: Record<string, ResourceRules> = {
  Widget: { schema: compileSchema(widgetSchema), apiVersion: 'vireo.test/v1', kind: 'Widget', namespaced: true, statusSubresource: true },
  ...Object.fromEntries(['ConfigMap', 'Event', 'Secret', 'ServiceAccount'].map(kind => [kind, builtin('v1', kind)])),
  Lease: builtin('coordination.k8s.io/v1', 'Lease'),
}

class Refusal extends Error {
  readonly answer: Answer
  constructor(code: number, reason: string | undefined, message: string, causes: readonly object[] = []) {
    super(message)
    this.answer = { code, body: { kind: 'Status', ...reason === undefined ? {} : { reason }, message, details: { causes: causes as Json } } }
  }
}

export class Server {
  readonly #rules: ResourceRules
  #stored: JsonObject | undefined
  #version = 0

  constructor(kind: string) {
    this.#rules = resources[kind]!
  }

  answer(step: Step): Answer {
    try {
      return step.verb === 'create' ? this.#create(step) : step.verb === 'delete' ? this.#delete() : this.#change(step)
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      if (error instanceof ConflictError || error instanceof PatchError) return new Refusal(error.code, error.reason, error.message, error instanceof ConflictError ? error.causes : []).answer
      throw error
    }
  }

  #writer(step: Step): Writer {
    return { manager: step.query?.fieldManager ?? 'capture', apiVersion: this.#rules.apiVersion, subresource: step.status === true ? 'status' : '', time: '2026-01-01T00:00:00Z' }
  }

  /** What a client sent, read by the schema. */
  #decode(text: string, step: Step, cannot: (problem: string) => Refusal): JsonObject {
    const { kind, schema } = this.#rules
    const { value, duplicates } = parseStrict(text)
    const problem = metadataProblem((value as JsonObject).metadata)
    if (problem !== undefined) throw cannot(problem)
    const { object, unknown } = normalize(schema, value as JsonObject)
    const complaints = strictComplaints(duplicates, unknown)
    if (step.query?.fieldValidation === 'Strict' && complaints.length > 0) throw cannot(`strict decoding error: ${complaints.join(', ')}`)
    return { ...object, metadata: { ...object.metadata as JsonObject, namespace: 'default' }, kind: object.kind ?? kind }
  }

  #cannotHandle = (problem: string): Refusal => {
    const { kind, apiVersion } = this.#rules
    return new Refusal(400, 'BadRequest', `${kind} in version "${apiVersion.split('/').at(-1)}" cannot be handled as a ${kind}: ${problem}`)
  }

  #create(step: Step): Answer {
    const sent = this.#decode(step.text ?? JSON.stringify(step.body), step, this.#cannotHandle)
    return this.#insert(track(this.#rules, undefined, withoutSystemFields(sent), this.#writer(step)))
  }

  /** An object with finalizers goes when they have gone. */
  #delete(): Answer {
    const metadata = this.#stored!.metadata as JsonObject
    return { code: 200, body: this.#store({ ...this.#stored!, metadata: { ...metadata, generation: metadata.generation as number + 1, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 } }) }
  }

  #insert(object: JsonObject): Answer {
    const prepared = prepareCreate(this.#rules, { ...object, metadata: { ...object.metadata as JsonObject, namespace: 'default', uid: 'uid', creationTimestamp: '2026-01-01T00:00:00Z' } })
    this.#refuse(prepared, validateCreate(this.#rules, prepared))
    return { code: 201, body: this.#store(prepared) }
  }

  #change(step: Step): Answer {
    const live = this.#stored
    const writer = this.#writer(step)
    if (step.verb === 'apply') {
      const merged = apply(this.#rules, live, step.body as JsonObject, writer, step.query?.force === 'true')
      return live === undefined ? this.#insert(merged) : this.#update(live, merged, step)
    }
    if (live === undefined) throw new Refusal(404, 'NotFound', 'not found')
    return this.#update(live, track(this.#rules, live, this.#patched(live, step), writer), step)
  }

  #patched(live: JsonObject, step: Step): JsonObject {
    const body = step.body ?? null
    switch (step.verb) {
      case 'put': return this.#decode(JSON.stringify(mergePatch(live, body)), step, this.#cannotHandle)
      case 'strategic': return this.#decode(JSON.stringify(strategicMergePatch(this.#rules.schema, live, body)), step, this.#cannotHandle)
      default: {
        const text = JSON.stringify(step.verb === 'json' ? jsonPatch(live, body) : mergePatch(live, body))
        return this.#decode(text, step, problem => {
          const message = `Invalid value: ${JSON.stringify(text)}: ${problem}`
          return new Refusal(422, 'Invalid', ` "" is invalid: patch: ${message}`, [{ reason: 'FieldValueInvalid', message, field: 'patch' }])
        })
      }
    }
  }

  #update(live: JsonObject, wanted: JsonObject, step: Step): Answer {
    const name = (wanted.metadata as JsonObject).name as string
    if (name !== 'probe') throw new Refusal(400, 'BadRequest', `the name of the object (${name}) does not match the name on the URL (probe)`)
    if ((wanted.metadata as JsonObject).resourceVersion === undefined) {
      const message = 'Invalid value: 0: must be specified for an update'
      throw new Refusal(422, 'Invalid', `widgets.vireo.test "probe" is invalid: metadata.resourceVersion: ${message}`, [{ reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' }])
    }
    const [prepare, validate] = step.status === true ? [prepareStatusUpdate, validateStatusUpdate] as const : [prepareUpdate, validateUpdate] as const
    const prepared = prepare(this.#rules, wanted, live)
    this.#refuse(prepared, validate(this.#rules, prepared, live))
    return { code: 200, body: this.#store(prepared) }
  }

  #refuse(object: JsonObject, errors: readonly FieldError[]): void {
    if (errors.length === 0) return
    const { apiVersion } = this.#rules
    const name = (object.metadata as JsonObject).name
    throw new Refusal(422, 'Invalid', invalidMessage(object.kind as string, apiVersion.split('/').toReversed()[1] ?? '', typeof name === 'string' ? name : '', errors), errors)
  }

  #store(object: JsonObject): JsonObject {
    const read = applyDefaults(this.#rules.schema, object)
    return this.#stored = { ...read, metadata: { ...read.metadata as JsonObject, resourceVersion: String(++this.#version) } }
  }
}

function withoutSystemFields(object: JsonObject): JsonObject {
  const { uid: _, creationTimestamp: __, deletionTimestamp: ___, selfLink: ____, ...metadata } = object.metadata as JsonObject
  return { ...object, metadata }
}
