import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { json } from '../../../apiserver/schema/json/gotext.ts'
import { checkSchema, type Json, type JsonObject } from '../../../apiserver/schema/index.ts'
import { definitions, scenarios } from '../../support/apiserver/scenarios.ts'
import { Server, type Answer } from './replay.ts'

const recordings = JSON.parse(readFileSync(join(import.meta.dirname, '../../support/apiserver/recorded.json'), 'utf8')) as { name: string; answers: Answer[] }[]
const answersTo = new Map(recordings.map(({ name, answers }) => [name, answers]))

/** What a client compares: times, uids and versions differ by nature, and so does the order of what Go keeps in maps. */
function essence({ code, body }: Answer): unknown {
  if (body.kind === 'Status') {
    const { reason, message, details } = body
    const { causes = [] } = (details ?? {}) as { causes?: Json[] }
    return { code, reason, message: sentences(message as string), causes: sorted(causes.map(cause => ({ ...cause as JsonObject, message: masked((cause as JsonObject).message as string) }))) }
  }
  const { uid, resourceVersion, creationTimestamp, deletionTimestamp, managedFields, ...metadata } = body.metadata as JsonObject
  const owners = (managedFields ?? []) as JsonObject[]
  return {
    code, ...body, uid: typeof uid, resourceVersion: typeof resourceVersion, creationTimestamp: typeof creationTimestamp, deletionTimestamp: typeof deletionTimestamp, metadata,
    managedFields: sorted(owners.map(({ time, ...owner }) => ({ time: typeof time, ...owner }))),
  }
}
/** The same complaints in any order. */
const sentences = (message: string): string[] => {
  const list = /^(.* is invalid: )\[(.*)\]$/s.exec(message)
  return list ? [list[1]!, ...list[2]!.split(/, (?=[a-z<][^ ]*: )/).toSorted()] : masked(message).split('\n').toSorted()
}
/** A message that quotes the whole object, with its times. */
const masked = (message: string): string => message.replace(/Invalid value: "\{.*\}": /s, 'Invalid value: OBJECT: ')
const sorted = (list: object[]): object[] => list.map(item => [json(item as Json), item] as const).toSorted(([a], [b]) => a < b ? -1 : 1).map(([, item]) => item)

describe('answers as kube-apiserver gave them', () => {
  test('every scenario is recorded, and no other', () => {
    expect(recordings.map(({ name }) => name)).toEqual([...scenarios.map(({ name }) => name), ...definitions.map(([name]) => `definition: ${name}`)])
  })

  test.each(scenarios.map(scenario => [scenario.name, scenario] as const))('%s', (name, { kind, steps }) => {
    const server = new Server(kind)
    const expected = answersTo.get(name)!
    for (const [i, step] of steps.entries()) expect(essence(server.answer(step)), `${step.verb} ${i + 1} of ${steps.length}`).toEqual(essence(expected[i]!))
  })

  test.each(definitions)('definition: %s', (name, schema) => {
    const [{ code, body }] = answersTo.get(`definition: ${name}`) as [Answer]
    const { causes = [] } = (body.details ?? {}) as { causes?: JsonObject[] }
    const expected = causes.map(({ reason, message, field }) => ({ reason, message: compilerless(message as string), field }))
    expect(sorted(checkSchema(schema, 'spec.validation.openAPIV3Schema', { statusSubresource: true }).map(error => ({ ...error, message: compilerless(error.message) })))).toEqual(sorted(code === 201 ? [] : expected))
  })
})

/** A parser's own words are its own. */
const compilerless = (message: string): string => message.replace(/(compilation failed: ERROR: <input>:\d+:\d+: )(Syntax error: |undeclared reference to ).*$/s, '$1')
