// Records what kube-apiserver answers to the scenarios: node test/support/apiserver/capture.ts writes recorded.json beside it.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { mergePatch } from '../../../apiserver/merge/index.ts'
import type { Json, JsonObject, SchemaNode } from '../../../apiserver/schema/index.ts'
import { startControlPlane } from '../../../scripts/devcluster/controlplane.ts'
import { definitions, scenarios, type Step } from './scenarios.ts'
import { definitionOf, widgetSchema } from './widget.ts'

/** What was answered to a step; times, uids and versions are as they were. */
export interface Answer { code: number; body: JsonObject }
export interface Recording { name: string; answers: Answer[] }

const collections: Record<string, string> = {
  Widget: '/apis/vireo.test/v1/namespaces/default/widgets', ConfigMap: '/api/v1/namespaces/default/configmaps', Secret: '/api/v1/namespaces/default/secrets',
  ServiceAccount: '/api/v1/namespaces/default/serviceaccounts', Event: '/api/v1/namespaces/default/events', Lease: '/apis/coordination.k8s.io/v1/namespaces/default/leases',
}

const types: Record<Step['verb'], string> = {
  create: 'application/json', delete: 'application/json', put: 'application/json', merge: 'application/merge-patch+json', json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json', apply: 'application/apply-patch+yaml',
}

type Ask = (method: string, path: string, type?: string, body?: string) => Promise<Answer>

async function asker(kubeconfig: string): Promise<Ask> {
  const { clusters: [{ cluster }], users: [{ user }] } = parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }]; users: [{ user: { token: string } }]
  }
  const ca = Buffer.from(cluster['certificate-authority-data'], 'base64')
  return (method, path, type, body) => new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${user.token}`, 'user-agent': 'capture/1', ...type === undefined ? {} : { 'content-type': type } }
    const asked = request(cluster.server + path, { method, ca, headers }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        // A kind that is not served yet is answered in plain text.
        resolve({ code: answer.statusCode!, body: text.startsWith('{') ? JSON.parse(text) as JsonObject : { message: text } })
      })
      answer.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function answerTo(ask: Ask, collection: string, step: Step): Promise<Answer> {
  const object = `${collection}/probe`
  const query = step.query === undefined ? '' : `?${new URLSearchParams(step.query).toString()}`
  const path = step.verb === 'create' ? collection : step.status === true ? `${object}/status` : object
  const body: Json = step.verb === 'put' ? mergePatch((await ask('GET', object)).body, step.body ?? {}) : step.body ?? null
  if (step.verb === 'delete') return ask('DELETE', object)
  return ask(step.verb === 'create' ? 'POST' : step.verb === 'put' ? 'PUT' : 'PATCH', path + query, types[step.verb], step.text ?? JSON.stringify(body))
}

async function established(ask: Ask): Promise<void> {
  while ((await ask('GET', collections.Widget!)).code !== 200) await new Promise(resolve => setTimeout(resolve, 100))
}

if (import.meta.main) {
  const dir = await mkdtemp(join(tmpdir(), 'vireo-capture-'))
  try {
    await using plane = await startControlPlane({ dir, durable: false })
    const ask = await asker(plane.kubeconfig)
    const define = (kind: string, schema: SchemaNode, query = ''): Promise<Answer> => ask('POST', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions${query}`, 'application/json', JSON.stringify(definitionOf(kind, schema)))
    const defined = await define('Widget', widgetSchema)
    if (defined.code !== 201) throw new Error(`the definition was refused: ${JSON.stringify(defined.body)}`)
    await established(ask)
    const recordings: Recording[] = []
    for (const { name, kind, steps } of scenarios) {
      const answers: Answer[] = []
      for (const step of steps) answers.push(await answerTo(ask, collections[kind]!, step))
      recordings.push({ name, answers })
      await ask('PATCH', `${collections[kind]!}/probe`, types.merge, '{"metadata":{"finalizers":null}}')
      await ask('DELETE', `${collections[kind]!}/probe`)
      while ((await ask('GET', `${collections[kind]!}/probe`)).code !== 404) await new Promise(resolve => setTimeout(resolve, 20))
    }
    for (const [name, schema] of definitions) {
      const { code, body } = await define('Probe', schema, '?dryRun=All')
      recordings.push({ name: `definition: ${name}`, answers: [{ code, body: code === 201 ? {} : body }] })
    }
    const lines = recordings.map(recording => JSON.stringify(recording))
    await writeFile(join(import.meta.dirname, 'recorded.json'), `[\n${lines.join(',\n')}\n]\n`)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
