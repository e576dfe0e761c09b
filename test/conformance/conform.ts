// The conformance suite: every driver that can be reached runs all of it.

import { afterAll, beforeAll, describe } from 'vitest'
import { Bed } from './bed.ts'
import type { Subject } from './subject.ts'
import { refusals, type Asked } from './suite/attempts.ts'
import { connection } from './suite/connection.ts'
import { deviceOperations, devices } from './suite/devices.ts'
import { domains } from './suite/domains.ts'
import { networks } from './suite/networks.ts'
import { objects } from './suite/objects.ts'
import { power } from './suite/power.ts'
import { snapshots } from './suite/snapshots.ts'
import { storage } from './suite/storage.ts'
import { streamOperations, streams } from './suite/streams.ts'
import { support } from './suite/support.ts'
import { tuning } from './suite/tuning.ts'

export function conform(subject: Subject): void {
  const bed = new Bed(subject)
  beforeAll(async () => { await bed.start() })
  afterAll(async () => { await bed.stop() })
  const parts: [name: string, tests: (bed: Bed) => void, needed: Asked[]][] = [
    ['support', support, []], ['domains', domains, []], ['power', power, []], ['tuning', tuning, []], ['devices', devices, deviceOperations], ['objects', objects, []], ['snapshots', snapshots, []], ['networks', networks, []], ['storage', storage, []],
    ['streams', streams, streamOperations], ['connection', connection, []],
  ]
  describe.each(parts)('%s', (_name, tests, needed) => {
    const lacking = needed.filter(operation => !bed.has(operation))
    const run = lacking.length === 0 ? tests : (): void => refusals(bed, lacking)
    run(bed)
  })
}
