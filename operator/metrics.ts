// vireo's own metrics, beside those of the controller runtime: RPC calls by procedure, observed objects, plan actions.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { OpenOptions } from '../drivers/driver.ts'

type Call = Parameters<NonNullable<OpenOptions['onCall']>>[0]

export class OperatorMetrics {
  readonly #calls: Counter<'procedure' | 'outcome'>
  readonly #seconds: Histogram<'procedure'>
  readonly #actions: Counter<'kind' | 'action' | 'outcome'>

  /** `mirrors`: what is observed of each hypervisor right now, as ids `kind/…`; asked when the metrics are scraped. */
  constructor(registry: Registry, mirrors: () => Iterable<[hypervisor: string, ids: readonly string[]]>) {
    const registers = [registry]
    this.#calls = new Counter({ name: 'vireo_rpc_calls_total', help: 'Calls to hypervisors, by procedure and outcome.', labelNames: ['procedure', 'outcome'], registers })
    this.#seconds = new Histogram({ name: 'vireo_rpc_call_seconds', help: 'How long calls to hypervisors take.', labelNames: ['procedure'], buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30], registers })
    new Gauge({
      name: 'vireo_observed_objects',
      help: 'Objects in the observed mirror, by hypervisor and kind.',
      labelNames: ['hypervisor', 'kind'],
      registers,
      collect() {
        this.reset()
        for (const [hypervisor, ids] of mirrors()) {
          const kinds = Map.groupBy(ids, id => id.slice(0, id.indexOf('/')))
          for (const [kind, { length }] of kinds) this.set({ hypervisor, kind }, length)
        }
      },
    })
    this.#actions = new Counter({ name: 'vireo_plan_actions_total', help: 'Actions performed on hypervisors, by kind, action and outcome.', labelNames: ['kind', 'action', 'outcome'], registers })
  }

  called({ procedure, seconds, outcome }: Call): void {
    this.#calls.inc({ procedure, outcome })
    this.#seconds.observe({ procedure }, seconds)
  }

  acted(kind: string, action: string, outcome: string): void {
    this.#actions.inc({ kind, action, outcome })
  }
}
