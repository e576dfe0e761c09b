// Gives an endpoint the kinds that the cases speak of.

import type { Endpoint } from './endpoint.ts'
import { definitions } from './widgets.ts'

export async function prepare(endpoint: Endpoint): Promise<void> {
  for (const definition of definitions) {
    const { code, body } = await endpoint.ask({ method: 'POST', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', body: JSON.stringify(definition), headers: { 'content-type': 'application/json' } })
    if (code !== 201) throw new Error(`${endpoint.name}: the definition was not made: ${JSON.stringify(body)}`)
  }
  const deadline = performance.now() + 30_000
  for (const plural of ['widgets', 'gadgets']) {
    while ((await endpoint.ask({ method: 'GET', path: `/apis/example.dev/v1/${plural}`, headers: {} })).code !== 200) {
      if (performance.now() > deadline) throw new Error(`${endpoint.name}: ${plural} were never served`)
    }
  }
}
