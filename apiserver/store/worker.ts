// The database's thread: everything that waits when a group of writes reaches the disk makes up the next group.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { load } from './backend.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { type StoreErrorCode, storeErrorOf } from './errors.ts'
import type { Answer, Request, Result } from './messages.ts'
import type { Write } from './types.ts'

/** Writes in one transaction at most: what comes later has its answer that much later. */
const GROUP = 1_000

const port = parentPort as MessagePort
const { options } = workerData as { options: EngineOptions }

const failure = (error: unknown): { code: StoreErrorCode; message: string } => {
  const { code, message } = storeErrorOf(error, options.folder)
  return { code, message }
}

function answer(engine: Engine, request: Request): Result {
  switch (request.op) {
    case 'load': return load(engine)
    case 'commit': return engine.commit([request.write])[0]
    case 'changes': return engine.changes(request.query)
    case 'page': return engine.page(request.query)
    case 'count': return engine.count(request.query)
    case 'compact': return engine.compact(request.policy, request.now)
    case 'constant': return engine.constant(request.name, () => request.value)
    case 'close': engine.close(); return undefined
  }
}

/** All that has arrived, in order; writes next to each other are one group. */
function work(engine: Engine, first: Request): void {
  const answers: Answer[] = []
  let group: { id: number; write: Write }[] = []
  const flush = (): void => {
    if (group.length === 0) return
    const outcomes = engine.commit(group.map(({ write }) => write))
    for (const [at, { id }] of group.entries()) answers.push({ id, result: outcomes[at] })
    group = []
  }
  let closed = false
  for (let request: Request | undefined = first; request !== undefined; request = receiveMessageOnPort(port)?.message) {
    if (request.op === 'commit') {
      group.push(request)
      if (group.length < GROUP) continue
      flush()
      break
    }
    flush()
    try {
      answers.push({ id: request.id, result: answer(engine, request) })
    } catch (error) {
      answers.push({ id: request.id, error: failure(error) })
    }
    closed ||= request.op === 'close'
  }
  flush()
  port.postMessage(answers)
  if (closed) port.close()
}

try {
  const engine = new Engine(options)
  port.on('message', (request: Request) => { work(engine, request) })
  port.postMessage('ready')
} catch (error) {
  port.postMessage(failure(error))
  port.close()
}
