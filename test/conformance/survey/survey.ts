// Asks a driver each call of the survey once, and holds the column in docs/hypervisors.md to what it answered.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection, DomainRef } from '../../../drivers/driver.ts'
import { answer } from '../answer.ts'
import { column, writeColumn } from '../table.ts'
import { type Guests, calls } from './calls.ts'

export interface Surveyed {
  /** The column of the table. */
  title: string
  start(): Promise<SurveyStage>
}

export interface SurveyStage extends AsyncDisposable {
  connection: Connection
  another: Guests['another']
  /** Where a call to start is not enough. */
  start?: Guests['start']
}

export function survey({ title, start }: Surveyed): void {
  describe.each([title])('%s', () => {
    let stage: SurveyStage
    let guests: Guests
    beforeAll(async () => {
      stage = await start()
      const { connection: c, another, start: begin = (dom: DomainRef) => c.domainCreateWithFlags(dom, 0) } = stage
      const document = await another()
      const off = await c.domainDefineXMLFlags(document, 0)
      const { name } = await begin(await c.domainDefineXMLFlags(await another(), 0))
      guests = { another, document, off, start: begin, on: await c.domainLookupByName(name) }
    })
    afterAll(async () => { await stage?.[Symbol.asyncDispose]() })

    test('answers every call as docs/hypervisors.md says', async () => {
      const words = new Map<string, string>()
      const classes = await stage.connection.eventsRegister()
      words.set('events of domains', classes.has('domain') ? 'works' : 'polled')
      for (const [what, call] of Object.entries(calls) as [string, NonNullable<(typeof calls)[keyof typeof calls]>][]) words.set(what, await answer(call(stage.connection, guests)))
      if (process.env.WRITE_SUPPORT_TABLE !== undefined) await writeColumn(title, words, 'survey')
      expect(await column(title, 'survey'), 'docs/hypervisors.md is stale: WRITE_SUPPORT_TABLE=1 npm run conformance writes it').toEqual(words)
    })
  })
}
