// Power on real parts: what is wished, what a guest does by itself, and what somebody else decided about it on the host.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runOk } from '../../scripts/run.ts'
import { openGuestConsole } from '../support/console.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import { annotate, booting, countEvents, domain, hypervisor, idle, isTrue, patchSpec, powerOf, provideKernel, ready } from './support/domains.ts'
import { Stage, condition } from './support/stage.ts'

const NEVER_IN_A_TEST = '600s'

describe('the power of a domain', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start()
    await provideKernel(stage)
    await stage.startController()
    await stage.apply(hypervisor({ rawXML: 'Allowed', foreignObjects: 'Adopt' }))
  })
  afterAll(async () => { await stage?.stop() })

  const power = async (name: string): Promise<string> => await powerOf(stage, name)
  const runId = async (name: string): Promise<number> => Number((await stage.virsh('domid', name)).trim())
  const running = async (name: string, spec: Record<string, unknown> = idle): Promise<number> => {
    await stage.apply(domain(name, spec))
    const found = await stage.until('virtualdomain', name, object => ready(object)?.reason === 'Available' && object.status?.powerState === 'Running' && object.status?.id)
    return found.status!.id as number
  }
  /** Waits until the object shows a run after `before`, and answers its number. */
  const untilNewRun = async (name: string, before: number): Promise<number> =>
    (await stage.until('virtualdomain', name, object => object.status?.powerState === 'Running' && (object.status.id as number) > before && ready(object).status === 'True')).status!.id as number
  /** Kills the guest's process, as a crash of QEMU would. */
  const crash = async (name: string): Promise<void> => { await stage.host.execOk(['sh', '-c', `kill -9 $(cat /run/libvirt/qemu/${name}.pid)`]) }

  test('goes where powerState says, there and back', async () => {
    await running('moves')
    await patchSpec(stage, 'moves', { powerState: 'Paused' })
    await stage.untilReason('virtualdomain', 'moves', 'Paused')
    expect(await power('moves')).toBe('paused (user)')
    await patchSpec(stage, 'moves', { powerState: 'Running' })
    await stage.untilReason('virtualdomain', 'moves', 'Available')
    expect(await power('moves')).toBe('running (unpaused)')
    await patchSpec(stage, 'moves', { powerState: 'Paused' })
    await stage.untilReason('virtualdomain', 'moves', 'Paused')
    await patchSpec(stage, 'moves', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'moves', 'Stopped')
    expect(await power('moves')).toMatch(/^shut off/)
    await patchSpec(stage, 'moves', { powerState: 'Paused' })
    await stage.untilReason('virtualdomain', 'moves', 'Paused')
    expect(await power('moves')).toMatch(/^paused/)
    await patchSpec(stage, 'moves', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'moves', 'Stopped')
    await patchSpec(stage, 'moves', { powerState: 'Running' })
    await stage.untilReason('virtualdomain', 'moves', 'Available')
    expect(await power('moves')).toMatch(/^running/)
  })

  test('is left alone under Unmanaged, whoever starts or stops the guest', async () => {
    await running('free')
    await patchSpec(stage, 'free', { powerState: 'Unmanaged' })
    await stage.until('virtualdomain', 'free', object => /not managed/.test(ready(object).message))
    await stage.virsh('destroy', 'free')
    const off = await stage.until('virtualdomain', 'free', object => object.status?.powerState === 'Stopped')
    expect(ready(off)).toMatchObject({ status: 'True', reason: 'Stopped' })
    await stage.virsh('start', 'free')
    const on = await stage.until('virtualdomain', 'free', object => object.status?.powerState === 'Running')
    expect(ready(on)).toMatchObject({ status: 'True', reason: 'Available' })
    await patchSpec(stage, 'free', { powerState: 'Running' })
    await stage.untilReady('virtualdomain', 'free')
  })

  test('a guest that obeys shuts itself down within its grace period', async () => {
    const before = await running('polite', { ...booting(), shutdown: { gracePeriod: NEVER_IN_A_TEST } })
    // A power button pressed before the guest listens is not heard; its console says when it does.
    await using console = await openGuestConsole(stage.host, 'polite')
    await console.waitFor(/vireo-guest: ready/)
    await patchSpec(stage, 'polite', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'polite', 'Stopped')
    expect(await power('polite')).toBe('shut off (shutdown)')
    await patchSpec(stage, 'polite', { powerState: 'Running' })
    await untilNewRun('polite', before)
    await stage.kubectl(['delete', 'virtualdomain', 'polite', '--wait=false'])
  })

  test('a deaf guest has its grace period, holds up nobody meanwhile, and is then cut off', async () => {
    await running('deaf', { ...idle, shutdown: { gracePeriod: '12s' } })
    await patchSpec(stage, 'deaf', { powerState: 'Stopped' })
    const stopping = await stage.untilReason('virtualdomain', 'deaf', 'Stopping')
    expect(stopping.message).toMatch(/asked to shut down/)
    await running('meanwhile')
    expect(await power('deaf')).toMatch(/^running/)
    await stage.untilReason('virtualdomain', 'deaf', 'Stopped')
    expect(await power('deaf')).toBe('shut off (destroyed)')
    expect(await countEvents(stage, 'deaf', 'PoweredOff', /did not shut down within 12 s/)).toBe(1)
  })

  test('onTimeout: Wait waits on, until the annotation power-off', async () => {
    await running('patient', { ...idle, shutdown: { gracePeriod: '1s', onTimeout: 'Wait' } })
    await patchSpec(stage, 'patient', { powerState: 'Stopped' })
    await stage.until('virtualdomain', 'patient', object => /waiting on/.test(ready(object).message))
    expect(await power('patient')).toMatch(/^running/)
    await annotate(stage, 'patient', { 'vireo.dev/power-off': '1' })
    await stage.untilReason('virtualdomain', 'patient', 'Stopped')
    expect((await stage.get('virtualdomain', 'patient'))?.status?.actions).toMatchObject([{ name: 'power-off', token: '1', outcome: 'Done' }])
  })

  test('a guest destroyed by hand is started again, by event, long before any list would find it', async () => {
    const before = await running('killed')
    await stage.virsh('destroy', 'killed')
    const started = performance.now()
    await untilNewRun('killed', before)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('a guest started by hand against powerState: Stopped is stopped again, with its full grace period', async () => {
    await running('sleeper', { ...idle, shutdown: { gracePeriod: '4s' } })
    await patchSpec(stage, 'sleeper', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'sleeper', 'Stopped')
    await stage.virsh('start', 'sleeper')
    // It is asked first: the request for the earlier run does not count.
    await stage.until('virtualdomain', 'sleeper', object => ready(object).reason === 'Stopping' && object.status?.powerState === 'Running')
    await stage.untilReason('virtualdomain', 'sleeper', 'Stopped')
    expect(await countEvents(stage, 'sleeper', 'ShutdownRequested')).toBe(2)
  })

  test('restartPolicy: Never after one run, until powerState has said Stopped and Running again', async () => {
    await stage.apply(domain('once', { ...booting('poweroff'), restartPolicy: 'Never' }))
    const ended = await stage.until('virtualdomain', 'once', object => ready(object)?.reason === 'Stopped', { timeoutMs: 120_000 })
    expect(ready(ended).message).toMatch(/shut itself down and stays off/)
    expect(ended.status).toMatchObject({ powerState: 'Stopped', powerStateReason: 'Shutdown' })
    expect(await countEvents(stage, 'once', 'Started')).toBe(1)
    // A daemon that was restarted has forgotten why the guest is off; we have not.
    await stage.host.restart()
    await stage.until('hypervisor', 'local', object => isTrue(object, 'Connected'))
    await annotate(stage, 'once', { 'vireo.dev/reconcile': 'after the restart' })
    await stage.until('virtualdomain', 'once', object => ready(object).reason === 'Stopped' && object.status?.powerStateReason === 'Shutdown')
    expect(await power('once')).toMatch(/^shut off/)
    await patchSpec(stage, 'once', { powerState: 'Stopped' })
    await stage.until('virtualdomain', 'once', object => /as powerState says/.test(ready(object).message))
    await stage.stopController()
    await stage.startController()
    await patchSpec(stage, 'once', { powerState: 'Running' })
    await stage.until('virtualdomain', 'once', object => object.status?.powerState === 'Running')
    expect(await countEvents(stage, 'once', 'Started')).toBe(2)
  })

  test('restartPolicy: OnFailure leaves an end in order, and starts again after a crash', async () => {
    const before = await running('failing', { ...idle, restartPolicy: 'OnFailure' })
    await crash('failing')
    await untilNewRun('failing', before)
    expect(await countEvents(stage, 'failing', 'Started', /after it crashed/)).toBe(1)
    await stage.apply(domain('orderly', { ...booting('poweroff'), restartPolicy: 'OnFailure' }))
    const ended = await stage.until('virtualdomain', 'orderly', object => ready(object)?.reason === 'Stopped', { timeoutMs: 120_000 })
    expect(ready(ended).message).toMatch(/restartPolicy: OnFailure/)
  })

  test('a guest that keeps ending is started with growing delays, shown as CrashLoop', async () => {
    const first = await running('loop')
    await crash('loop')
    const second = await untilNewRun('loop', first)
    await crash('loop')
    const waiting = await stage.until('virtualdomain', 'loop', object => ready(object).reason === 'CrashLoop')
    expect(ready(waiting).message).toMatch(/crashed 2 times .* 10 s after its last end/)
    expect(isTrue(waiting, 'Stalled')).toBe(true)
    const third = await untilNewRun('loop', second)
    await crash('loop')
    const longer = await stage.until('virtualdomain', 'loop', object => ready(object).reason === 'CrashLoop' && /20 s after/.test(ready(object).message))
    expect(isTrue(longer, 'Stalled')).toBe(true)
    // The verb does not wait.
    await annotate(stage, 'loop', { 'vireo.dev/restart': 'now' })
    await untilNewRun('loop', third)
  })

  test('a guest that panics is seen as crashed, kept where lifecycle says so, and started anew', async () => {
    const before = await running('panics', { ...booting('crash', 'panic=0'), lifecycle: { onCrash: 'preserve' }, restartPolicy: 'Never', xml: "<devices><panic model='isa'/></devices>" })
    const kept = await stage.until('virtualdomain', 'panics', object => object.status?.powerState === 'Crashed', { timeoutMs: 120_000 })
    expect(kept.status!.id).toBe(before)
    expect(ready(kept)).toMatchObject({ status: 'False', reason: 'CrashLoop' })
    await annotate(stage, 'panics', { 'vireo.dev/restart': 'again' })
    await stage.until('virtualdomain', 'panics', object => (object.status?.id as number) > before)
    await stage.kubectl(['delete', 'virtualdomain', 'panics', '--wait=false'])
  })

  test('a guest paused by hand is resumed, or left and listed where driftPolicy says Report', async () => {
    await running('paused')
    await stage.virsh('suspend', 'paused')
    await stage.until('virtualdomain', 'paused', object => object.status?.powerStateReason === 'Unpaused' && ready(object).status === 'True')
    await patchSpec(stage, 'paused', { driftPolicy: { action: 'Report' } })
    await stage.untilReady('virtualdomain', 'paused')
    await stage.virsh('suspend', 'paused')
    const left = await stage.until('virtualdomain', 'paused', object => isTrue(object, 'DriftDetected'))
    expect(left.status!.drift).toMatchObject([{ path: 'powerState', expected: 'Running', found: 'Paused' }])
    expect(condition(left, 'Synced')).toMatchObject({ status: 'False', reason: 'Drifted' })
    expect(ready(left)).toMatchObject({ status: 'True', reason: 'Paused' })
    await patchSpec(stage, 'paused', { driftPolicy: { action: 'Ignore' } })
    const ignored = await stage.until('virtualdomain', 'paused', object => !isTrue(object, 'DriftDetected'))
    expect(ignored.status!.drift).toBeUndefined()
    expect(await power('paused')).toBe('paused (user)')
    await patchSpec(stage, 'paused', { driftPolicy: { action: 'Correct' } })
    await stage.untilReason('virtualdomain', 'paused', 'Available')
    await patchSpec(stage, 'paused', { driftPolicy: { action: 'Report' } })
    await stage.untilReady('virtualdomain', 'paused')
    await stage.virsh('destroy', 'paused')
    const off = await stage.until('virtualdomain', 'paused', object => isTrue(object, 'DriftDetected'))
    expect(off.status!.drift).toMatchObject([{ path: 'powerState', expected: 'Running', found: 'Stopped' }])
    await patchSpec(stage, 'paused', { driftPolicy: { action: 'Correct' } })
    await stage.untilReason('virtualdomain', 'paused', 'Available')
  })

  test('a guest that was migrated away is not started here', async () => {
    await running('moved')
    const other = await startLibvirtd({ name: 'target' })
    try {
      // Both QEMUs, which run as a user of their own, meet at this socket.
      const meeting = join(other.folder, 'meeting')
      await mkdir(meeting)
      await chmod(meeting, 0o777)
      await runOk(['virsh', '-c', stage.host.uri(), 'migrate', '--live', 'moved', other.uri(), '--migrateuri', `unix://${meeting}/socket`])
      const gone = await stage.until('virtualdomain', 'moved', object => ready(object).reason === 'Conflict')
      expect(ready(gone).message).toMatch(/migrated to another host.*virsh start/)
      expect(isTrue(gone, 'Stalled')).toBe(true)
      // The daemon forgets the reason when it is restarted; the guest is not started for that.
      await stage.host.restart()
      await stage.until('hypervisor', 'local', object => isTrue(object, 'Connected'))
      await annotate(stage, 'moved', { 'vireo.dev/reconcile': 'after the restart', 'vireo.dev/restart': 'not for this' })
      await stage.until('virtualdomain', 'moved', object => object.status?.actions?.length === 1)
      expect(await power('moved')).toMatch(/^shut off/)
      expect(ready((await stage.get('virtualdomain', 'moved'))!).reason).toBe('Conflict')
    } finally {
      await other.stop()
    }
  })

  test('a saved guest keeps its state, and runs on once somebody resumes it', async () => {
    await running('saved')
    await stage.virsh('managedsave', 'saved')
    const saved = await stage.until('virtualdomain', 'saved', object => ready(object).reason === 'Conflict')
    expect(ready(saved).message).toMatch(/saved to disk.*virsh start/)
    expect(isTrue(saved, 'Stalled')).toBe(true)
    expect(await power('saved')).toBe('shut off (saved)')
    await stage.virsh('start', 'saved')
    await stage.untilReady('virtualdomain', 'saved')
    expect(await power('saved')).toBe('running (restored)')
    // One that is saved while it is wanted off is deleted with its saved state.
    await stage.virsh('managedsave', 'saved')
    await stage.untilReason('virtualdomain', 'saved', 'Conflict')
    await stage.kubectl(['delete', 'virtualdomain', 'saved', '--timeout=60s'])
    expect(await stage.virsh('list', '--all', '--name')).not.toMatch(/^saved$/m)
  })

  test('a guest reverted to a snapshot that was off stays off', async () => {
    await stage.host.execOk(['qemu-img', 'create', '-q', '-f', 'qcow2', '/var/lib/vireo/reverted.qcow2', '1M'])
    await running('reverted', { ...idle, disks: [{ name: 'root', file: { path: '/var/lib/vireo/reverted.qcow2', format: 'qcow2' } }] })
    await patchSpec(stage, 'reverted', { powerState: 'Stopped' })
    await stage.untilReason('virtualdomain', 'reverted', 'Stopped')
    await stage.virsh('snapshot-create-as', 'reverted', 'clean')
    await patchSpec(stage, 'reverted', { powerState: 'Running' })
    await stage.untilReason('virtualdomain', 'reverted', 'Available')
    await stage.virsh('snapshot-revert', 'reverted', 'clean')
    const stays = await stage.until('virtualdomain', 'reverted', object => ready(object).reason === 'Conflict')
    expect(ready(stays).message).toMatch(/reverted to a snapshot/)
    expect(await power('reverted')).toBe('shut off (from snapshot)')
    await stage.kubectl(['delete', 'virtualdomain', 'reverted', '--timeout=60s'])
  })

  test('a guest paused by an I/O error is not resumed before somebody has made room', async () => {
    await stage.host.execOk(['sh', '-c', 'mkdir -p /var/lib/vireo/small && mount -t tmpfs -o size=1m tmpfs /var/lib/vireo/small && truncate -s 16M /var/lib/vireo/small/disk.raw && chmod 666 /var/lib/vireo/small/disk.raw'])
    const writer = booting()
    const { kernelBoot } = writer.os as { kernelBoot: { cmdline: string } }
    kernelBoot.cmdline += ' rdinit=/bin/sh -- -c "mount -t devtmpfs d /dev; while read -r m; do insmod /lib/modules/$m; done </etc/modules; dd if=/dev/zero of=/dev/vda bs=65536; while :; do sleep 60; done"'
    await stage.apply(domain('full', { ...writer, disks: [{ name: 'data', file: { path: '/var/lib/vireo/small/disk.raw' } }] }))
    const stuck = await stage.until('virtualdomain', 'full', object => ready(object)?.reason === 'HostError', { timeoutMs: 120_000 })
    expect(stuck.status).toMatchObject({ powerState: 'Paused', powerStateReason: 'IOError' })
    expect(ready(stuck).message).toMatch(/I\/O error.*virsh resume/)
    expect(isTrue(stuck, 'Stalled')).toBe(true)
    expect(await power('full')).toBe('paused (I/O error)')
    await stage.host.execOk(['mount', '-o', 'remount,size=64m', '/var/lib/vireo/small'])
    await stage.virsh('resume', 'full')
    await stage.untilReady('virtualdomain', 'full')
    await stage.kubectl(['delete', 'virtualdomain', 'full', '--wait=false'])
  })

  test('each verb acts once per token, also when the controller is restarted with the token in place', async () => {
    const first = await running('verbs')
    await annotate(stage, 'verbs', { 'vireo.dev/restart': '1' })
    const second = await untilNewRun('verbs', first)
    const done = await stage.until('virtualdomain', 'verbs', object => object.status?.actions?.[0]?.outcome === 'Done')
    expect(done.status!.actions).toMatchObject([{ name: 'restart', token: '1' }])
    await annotate(stage, 'verbs', { 'vireo.dev/power-off': '1' })
    const third = await untilNewRun('verbs', second)
    await annotate(stage, 'verbs', { 'vireo.dev/reset': '1' })
    await stage.until('virtualdomain', 'verbs', object => object.status?.actions?.length === 3)
    expect(await runId('verbs')).toBe(third)
    await stage.stopController()
    await stage.startController()
    await annotate(stage, 'verbs', { 'vireo.dev/reset': '2' })
    await stage.until('virtualdomain', 'verbs', object => object.status?.actions?.some((action: { name: string; token: string }) => action.name === 'reset' && action.token === '2'))
    expect(await runId('verbs')).toBe(third)
    expect(await countEvents(stage, 'verbs', 'Reset')).toBe(2)
    expect(await countEvents(stage, 'verbs', 'ShutdownRequested')).toBe(1)
    expect(await countEvents(stage, 'verbs', 'PoweredOff', /annotation/)).toBe(1)
  })

  test('a restart that was begun is ended by the next controller, whatever restartPolicy says', async () => {
    const before = await running('handover', { ...idle, restartPolicy: 'Never', shutdown: { gracePeriod: '5s' } })
    await annotate(stage, 'handover', { 'vireo.dev/restart': '1' })
    await stage.until('virtualdomain', 'handover', object => object.status?.actions?.[0]?.outcome === 'Stopping')
    await stage.stopController('SIGKILL')
    await stage.startController()
    await untilNewRun('handover', before)
    await stage.until('virtualdomain', 'handover', object => object.status?.actions?.[0]?.outcome === 'Done')
  })
})
