import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../clock/clock.ts'
import { Streams } from '../../../observed/streams.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { ConnectionLost, LibvirtError } from '../../../drivers/errors.ts'
import { SourceError } from '../../../reconcilers/volume/source/error.ts'
import { type JobControl, Jobs } from '../../../reconcilers/volume/source/jobs.ts'

/** Every promise that is due has run. */
const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

const streamsOf = (max: number, clock: Clock): Streams => new Streams({ max, clock, open: () => Promise.reject(new Error('nothing is opened here')) })

function setup(): { jobs: Jobs; streams: Streams; clock: FakeClock; woken: string[]; run: (key: string, attempt?: string) => { control: Promise<JobControl>; end: PromiseWithResolvers<{ format: string }> } } {
  const clock = new FakeClock(1_000_000)
  const streams = streamsOf(2, clock)
  const woken: string[] = []
  const jobs = new Jobs({ clock, wake: key => { woken.push(key) } })
  return {
    jobs, streams, clock, woken,
    run: (key, attempt = '1') => {
      const end = Promise.withResolvers<{ format: string }>()
      const control = Promise.withResolvers<JobControl>()
      jobs.start(key, { uid: 'u', host: { name: 'h', streams }, attempt }, given => {
        control.resolve(given)
        given.signal.addEventListener('abort', () => { end.reject(given.signal.reason as Error) })
        return end.promise
      })
      return { control: control.promise, end }
    },
  }
}
const phase = (jobs: Jobs, key: string): string | undefined => jobs.get(key, 'u')?.state.phase

describe('transfers', () => {
  test('run as many at a time as their host lends connections; the next begins when one ends', async () => {
    const { jobs, run, clock } = setup()
    const first = run('a')
    run('b')
    run('c')
    await turn()
    expect(['a', 'b', 'c'].map(key => phase(jobs, key))).toEqual(['Inspecting', 'Inspecting', 'Queued'])
    jobs.start('d', { uid: 'u', host: { name: 'other', streams: streamsOf(2, clock) }, attempt: '1' }, () => new Promise(() => undefined))
    await turn()
    expect(phase(jobs, 'd')).toBe('Inspecting')
    first.end.resolve({ format: 'raw' })
    await turn()
    expect(['a', 'c'].map(key => phase(jobs, key))).toEqual(['Done', 'Inspecting'])
  })

  test('make nothing before they are allowed to', async () => {
    const { jobs, run, woken } = setup()
    const control = await run('a').control
    let allowed = false
    void control.inspected().then(() => { allowed = true })
    await turn()
    expect({ phase: phase(jobs, 'a'), allowed, woken }).toEqual({ phase: 'Inspected', allowed: false, woken: ['a'] })
    jobs.allow('a')
    await turn()
    expect({ phase: phase(jobs, 'a'), allowed }).toEqual({ phase: 'Writing', allowed: true })
  })

  test('that are not allowed within a minute, as of a paused object, give their place to the next and are forgotten', async () => {
    const { jobs, run, woken, clock } = setup()
    const paused = run('a')
    const looked = (await paused.control).inspected()
    looked.catch(paused.end.reject)
    run('b')
    run('c')
    await clock.advance(59_999)
    expect(['a', 'b', 'c'].map(key => phase(jobs, key))).toEqual(['Inspected', 'Inspecting', 'Queued'])
    await clock.advance(1)
    await turn()
    expect(['a', 'b', 'c'].map(key => phase(jobs, key))).toEqual([undefined, 'Inspecting', 'Inspecting'])
    expect(woken).toEqual(['a', 'a'])
    // Allowed again, it goes to the end of the line.
    run('a')
    await turn()
    expect(phase(jobs, 'a')).toBe('Queued')
  })

  test('tell of progress at most every 5 s, and of the end at once', async () => {
    const { run, woken, clock } = setup()
    const { control, end } = run('a')
    const { progress } = await control
    for (const seconds of [0, 1, 4.9, 5, 9, 10.1]) {
      await clock.advance(1_000_000 + seconds * 1000 - clock.now())
      progress(seconds, 20)
    }
    expect(woken).toHaveLength(3)
    end.resolve({ format: 'raw' })
    await turn()
    expect(woken).toHaveLength(4)
  })

  test.each<[string, unknown, object]>([
    ['a refusal is final', new SourceError('Permanent', 'no'), { phase: 'Failed', reason: 'SourceFailed', message: 'no', stalled: true }],
    ['an early end is shown, and tried again', new SourceError('Truncated', 'short'), { phase: 'Failed', reason: 'SourceFailed', message: 'short', stalled: true, retryAt: 1_005_000 }],
    ['a server that is away is a delay', new SourceError('Transient', '503'), { phase: 'Failed', reason: 'SourceFailed', message: '503', stalled: false, retryAt: 1_005_000 }],
    ['a host that is away is a delay', new ConnectionLost('gone'), { phase: 'Failed', reason: 'SourceFailed', message: 'gone', stalled: false, retryAt: 1_005_000 }],
    ['what the host refuses is tried again', new LibvirtError({ code: 38, domain: 18, level: 2, message: 'no space', procedure: 'p' }), { phase: 'Failed', reason: 'HostError', message: 'The host refused: no space.', stalled: false, retryAt: 1_005_000 }],
    ['what the driver lacks is final', new LibvirtError({ code: 3, domain: 18, level: 2, message: 'no', procedure: 'p' }), { phase: 'Failed', reason: 'Unsupported', message: 'The host refused: no.', stalled: true }],
  ])('%s', async (_, error, state) => {
    const { jobs, run } = setup()
    run('a').end.reject(error)
    await turn()
    expect(jobs.get('a', 'u')?.state).toEqual(state)
  })

  test('wait longer after each failure, up to 5 minutes, and begin anew with another attempt', async () => {
    const { jobs, run, clock } = setup()
    const waits: number[] = []
    const fail = async (attempt: string): Promise<void> => {
      run('a', attempt).end.reject(new SourceError('Transient', 'away'))
      await turn()
      const state = jobs.get('a', 'u')!.state
      if (state.phase === 'Failed') waits.push((state.retryAt! - clock.now()) / 1000)
    }
    for (let i = 0; i < 8; i++) await fail('1')
    await fail('2')
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 5])
    expect(jobs.get('a', 'other')).toBeUndefined()
  })

  test('are over when abort resolves, queued ones included', async () => {
    const { jobs, run, woken } = setup()
    const { control } = run('a')
    run('b')
    run('c')
    const { signal } = await control
    await jobs.abort('c')
    expect(phase(jobs, 'c')).toBeUndefined()
    await jobs.abort('a')
    expect({ aborted: signal.aborted, phase: phase(jobs, 'a'), woken }).toEqual({ aborted: true, phase: undefined, woken: [] })
    await jobs.close()
    expect(phase(jobs, 'b')).toBeUndefined()
  })
})
