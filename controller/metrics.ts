// The metrics of the process, under the names controller-runtime's users already graph; every series starts at 0.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

export interface RequestMetrics { finished(code: string, method: string, host: string): void }

export interface QueueMetrics {
  depth(length: number): void
  added(): void
  retried(): void
  queued(seconds: number): void
  worked(seconds: number): void
  /** Read when the metrics are scraped: seconds of work in progress, summed and longest. */
  unfinished(read: () => { sum: number; longest: number }): void
}

export type ReconcileResult = 'success' | 'requeue_after' | 'error'

export interface ControllerMetrics {
  active(workers: number): void
  reconciled(result: ReconcileResult, seconds: number): void
}

const latencies = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const queueLabels = ['name', 'controller'] as const

export class Metrics {
  readonly registry = new Registry()
  readonly #requests = this.#counter('rest_client_requests_total', 'Requests to the API server, by answer, method and host.', ['code', 'method', 'host'])
  readonly #depth = this.#gauge('workqueue_depth', 'Keys that wait in the queue.', queueLabels)
  readonly #adds = this.#counter('workqueue_adds_total', 'Keys added to the queue.', queueLabels)
  readonly #retries = this.#counter('workqueue_retries_total', 'Keys added again after a failure.', queueLabels)
  readonly #queueDuration = this.#histogram('workqueue_queue_duration_seconds', 'How long a key waits before it is taken.', queueLabels)
  readonly #workDuration = this.#histogram('workqueue_work_duration_seconds', 'How long a key is worked on.', queueLabels)
  readonly #unfinished = this.#gauge('workqueue_unfinished_work_seconds', 'Seconds of work in progress, over all keys.', queueLabels, () => this.#readQueues())
  readonly #longest = this.#gauge('workqueue_longest_running_processor_seconds', 'Seconds the longest running key has been worked on.', queueLabels)
  readonly #reconciles = this.#counter('controller_runtime_reconcile_total', 'Reconciles, by controller and result.', ['controller', 'result'])
  readonly #reconcileErrors = this.#counter('controller_runtime_reconcile_errors_total', 'Reconciles that failed.', ['controller'])
  readonly #reconcileTime = this.#histogram('controller_runtime_reconcile_time_seconds', 'How long a reconcile takes.', ['controller'])
  readonly #activeWorkers = this.#gauge('controller_runtime_active_workers', 'Workers that reconcile right now.', ['controller'])
  readonly #leader = this.#gauge('leader_election_master_status', '1 while this process holds the lease.', ['name'])
  readonly #unfinishedOf = new Map<string, () => { sum: number; longest: number }>()

  readonly requests: RequestMetrics = {
    finished: (code, method, host) => this.#requests.inc({ code, method, host }),
  }

  /** The series of the process itself: memory, CPU, event loop, garbage collection. */
  collectProcess(): void {
    // By itself the delay of the event loop would be measured a hundred times a second, which is most of what an idle controller does.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 500 })
  }

  /** The series of one work queue. */
  queue(name: string): QueueMetrics {
    const labels = { name, controller: name }
    this.#depth.set(labels, 0)
    this.#adds.inc(labels, 0)
    this.#retries.inc(labels, 0)
    this.#unfinished.set(labels, 0)
    this.#longest.set(labels, 0)
    this.#queueDuration.zero(labels)
    this.#workDuration.zero(labels)
    return {
      depth: (length) => this.#depth.set(labels, length),
      added: () => this.#adds.inc(labels),
      retried: () => this.#retries.inc(labels),
      queued: (seconds) => this.#queueDuration.observe(labels, seconds),
      worked: (seconds) => this.#workDuration.observe(labels, seconds),
      unfinished: (read) => { this.#unfinishedOf.set(name, read) },
    }
  }

  /** The series of one controller. */
  controller(controller: string): ControllerMetrics {
    for (const result of ['success', 'requeue_after', 'error'] satisfies ReconcileResult[]) this.#reconciles.inc({ controller, result }, 0)
    this.#reconcileErrors.inc({ controller }, 0)
    this.#reconcileTime.zero({ controller })
    this.#activeWorkers.set({ controller }, 0)
    return {
      active: (workers) => this.#activeWorkers.set({ controller }, workers),
      reconciled: (result, seconds) => {
        this.#reconciles.inc({ controller, result })
        if (result === 'error') this.#reconcileErrors.inc({ controller })
        this.#reconcileTime.observe({ controller }, seconds)
      },
    }
  }

  /** The series of one lease. */
  leader(name: string): (leading: boolean) => void {
    this.#leader.set({ name }, 0)
    return (leading) => this.#leader.set({ name }, leading ? 1 : 0)
  }

  #readQueues(): void {
    for (const [name, read] of this.#unfinishedOf) {
      const { sum, longest } = read()
      this.#unfinished.set({ name, controller: name }, sum)
      this.#longest.set({ name, controller: name }, longest)
    }
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }
  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[], collect?: () => void): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry], collect })
  }
  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: latencies, registers: [this.registry] })
  }
}
