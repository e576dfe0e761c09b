// Every power operation in every state: what it does, with which events, or with which code it is refused.

import { describe, expect, test } from 'vitest'
import { CreateFlags, DomainState, type DomainRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'
import type { Event, Outcome, Power, State } from '../subject.ts'

const { Running, Paused, Shutoff } = DomainState
const operations: Power[] = ['create', 'createPaused', 'suspend', 'resume', 'shutdown', 'reboot', 'reset', 'destroy', 'undefine']

export function power(bed: Bed): void {
  const { traits } = bed
  const start: Event[] = traits.tellsSteps ? [[4, 0], [2, 0]] : [[2, 0]]
  const destroy: Event[] = traits.tellsSteps ? [[6, 2], [5, 1]] : [[5, 1]]
  const shutdown: Event[] = traits.tellsSteps ? [[6, 1], [5, 0]] : [[5, 0]]
  const refused = { refused: traits.wrongState }
  const invalid = { refused: E.OPERATION_INVALID }
  const booted = [Running, 1] as const
  const unchanged = (state: readonly [DomainState, number], others: string[] = []): Outcome => ({ state, events: [], others })
  const reset = traits.tellsReset ? ['reboot'] : []
  const reboot = traits.tellsReset && traits.guestsObey ? ['reboot'] : []
  const pausedStart: Outcome = traits.startsPaused ? { state: [Paused, 1], events: [[2, 0], [3, 0]] } : { refused: E.INVALID_ARG }
  const again = (code: Outcome): Outcome => (traits.startsPaused ? code : { refused: E.INVALID_ARG })
  const ends = (running: readonly [DomainState, number], gone: boolean): Outcome => (traits.guestsObey ? { state: gone ? 'gone' : [Shutoff, 1], events: shutdown } : unchanged(running))

  const likeQEMU: Record<State, Record<Power, Outcome>> = {
    'shut off': { create: { state: booted, events: start }, createPaused: pausedStart, suspend: refused, resume: refused, shutdown: refused, reboot: invalid, reset: invalid, destroy: invalid, undefine: { state: 'gone', events: [[1, 0]] } },
    running: {
      create: refused, createPaused: again(refused), suspend: { state: [Paused, 1], events: [[3, 0]] }, resume: refused, shutdown: ends(booted, false), reboot: unchanged(booted, reboot), reset: unchanged(booted, reset),
      destroy: { state: [Shutoff, 2], events: destroy }, undefine: { state: booted, events: [[1, 0]], persistent: false },
    },
    paused: {
      create: refused, createPaused: again(refused), suspend: unchanged([Paused, 1]), resume: { state: [Running, 5], events: [[4, 0]] }, shutdown: refused, reboot: unchanged([Paused, 1]), reset: unchanged([Paused, 1], reset),
      destroy: { state: [Shutoff, 2], events: destroy }, undefine: { state: [Paused, 1], events: [[1, 0]], persistent: false },
    },
    transient: {
      create: refused, createPaused: again(refused), suspend: { state: [Paused, 1], events: [[3, 0]] }, resume: refused, shutdown: ends(booted, true), reboot: unchanged(booted, reboot), reset: unchanged(booted, reset),
      destroy: { state: 'gone', events: destroy }, undefine: invalid,
    },
    'transient and paused': {
      create: refused, createPaused: again(refused), suspend: unchanged([Paused, 1]), resume: { state: [Running, 5], events: [[4, 0]] }, shutdown: refused, reboot: unchanged([Paused, 1]), reset: unchanged([Paused, 1], reset),
      destroy: { state: 'gone', events: destroy }, undefine: invalid,
    },
  }

  const matrix = Object.fromEntries(Object.entries(likeQEMU).map(([state, row]) => [state, { ...row, ...traits.power[state as State] }])) as typeof likeQEMU

  const bring = async (state: State): Promise<DomainRef> => {
    const name = bed.name('power')
    const transient = state.startsWith('transient')
    if (state === 'shut off') return await bed.define(name)
    const dom = transient ? await bed.c.domainCreateXML(bed.domainXML(name), 0) : await bed.c.domainCreateWithFlags(await bed.define(name), 0)
    if (state.endsWith('paused')) await bed.c.domainSuspend(dom)
    return dom
  }
  const call: Record<Power, (dom: DomainRef) => Promise<unknown>> = {
    create: dom => bed.c.domainCreateWithFlags(dom, 0), createPaused: dom => bed.c.domainCreateWithFlags(dom, CreateFlags.PAUSED), suspend: dom => bed.c.domainSuspend(dom), resume: dom => bed.c.domainResume(dom),
    shutdown: dom => bed.c.domainShutdownFlags(dom, 0), reboot: dom => bed.c.domainReboot(dom, 0), reset: dom => bed.c.domainReset(dom), destroy: dom => bed.c.domainDestroyFlags(dom, 0), undefine: dom => bed.c.domainUndefineFlags(dom, 0),
  }

  const observe = async (dom: DomainRef): Promise<{ state: readonly [DomainState, number]; persistent: boolean } | 'gone'> => {
    if (await bed.c.domainLookupByUUID(dom.uuid).then(() => false, () => true)) return 'gone'
    const { state, reason } = await bed.c.domainGetState(dom)
    return { state: [state, reason], persistent: await bed.c.domainIsPersistent(dom) }
  }

  describe.each(Object.keys(matrix) as State[])('a domain that is %s', state => {
    test('refuses what its state has no room for, and is unchanged', async () => {
      const dom = await bring(state)
      const before = await observe(dom)
      await bed.forgetEvents()
      for (const operation of operations) {
        const outcome = matrix[state][operation]
        if (!('refused' in outcome)) continue
        expect([operation, await codeOf(call[operation](dom))]).toEqual([operation, outcome.refused])
      }
      expect(await observe(dom)).toEqual(before)
      expect(await bed.lifecycle(dom)).toEqual([])
      await bed.remove(dom)
    })

    test.each(operations.filter(operation => !('refused' in matrix[state][operation])))('%s: the state that follows, and its events in order', async operation => {
      const outcome = matrix[state][operation] as Exclude<Outcome, { refused: number }>
      const dom = await bring(state)
      await bed.forgetEvents()
      await call[operation](dom)
      expect(await bed.lifecycle(dom)).toEqual(outcome.events)
      expect(await bed.others(dom)).toEqual(outcome.others ?? [])
      expect(await observe(dom)).toEqual(outcome.state === 'gone' ? 'gone' : { state: outcome.state, persistent: outcome.persistent ?? !state.startsWith('transient') })
      await bed.remove(dom)
    })
  })

  describe('identity of a run', () => {
    test('an id is above 0, never used twice, found while it runs and not after', async () => {
      const dom = await bed.define(bed.name('ids'))
      const seen: number[] = []
      for (let times = 0; times < 2; times++) {
        const run = await bed.c.domainCreateWithFlags(dom, 0)
        expect(await bed.c.domainLookupByID(run.id)).toEqual(run)
        expect(await bed.c.domainGetXMLDesc(run, 0)).toMatch(new RegExp(`^<domain [^>]*\\bid=['"]${run.id}['"]`))
        expect(await bed.c.domainGetXMLDesc(run, 2)).not.toMatch(/^<domain [^>]*\bid=/)
        seen.push(run.id)
        await bed.c.domainDestroyFlags(run, 0)
        expect(await codeOf(bed.c.domainLookupByID(run.id))).toBe(E.NO_DOMAIN)
      }
      expect(seen[0]).toBeGreaterThan(0)
      expect(seen[1]).toBeGreaterThan(seen[0]!)
      expect(await codeOf(bed.c.domainLookupByID(-1))).toBe(E.INVALID_ARG)
      await bed.remove(dom)
    })

    test('a managed save that is not there is refused or nothing', async () => {
      const dom = await bed.define(bed.name('unsaved'))
      if (bed.traits.missesSave) expect(await codeOf(bed.c.domainManagedSaveRemove(dom))).toBe(E.SYSTEM_ERROR)
      else await bed.c.domainManagedSaveRemove(dom)
      expect(await bed.c.domainHasManagedSaveImage(dom)).toBe(false)
      await bed.remove(dom)
    })
  })
}
