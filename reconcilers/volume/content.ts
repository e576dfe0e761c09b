// Decides about content that is transferred: when a source is opened, when the volume may be made, what a failure leads to.

import { type Plan, planOf } from '../plan.ts'
import type { VolumeAction, VolumeInputs } from './inputs.ts'
import { shownUrl } from './source/fetch.ts'
import { type JobState, isRunning } from './source/jobs.ts'

type VolumePlan = Plan<VolumeAction>

const from = ({ origin }: VolumeInputs): string => (origin?.type === 'Url' ? shownUrl(origin.url.url) : origin?.type === 'Clone' ? `${origin.source.pool}/${origin.source.name}` : 'an empty disk')

const transferring = (message: string, rest: Partial<VolumePlan> = {}): VolumePlan => planOf({ reason: 'Transferring', message }, rest)

/** Content moves in steps that each survive a crash: look at the source, record that the volume is begun, make it, write it, record the whole. */
export function planContent(inputs: VolumeInputs): VolumePlan {
  const { job, observed, record, attempt, users } = inputs
  if (isRunning(job)) {
    if (job!.attempt !== attempt && record === 'None') return transferring('Stopping the transfer, for the spec was changed.', { actions: [stopChanged] })
    return planRunning(inputs, job!.state)
  }
  // The record proves that what is found was begun by us, unless the transfer itself met it as a stranger's.
  if (observed !== undefined && !(job?.state.phase === 'Failed' && job.state.reason === 'Conflict')) {
    if (users.length > 0) return planOf({ reason: 'Conflict', message: `The volume ${inputs.binding.name} in pool ${inputs.binding.pool} is in use by ${users.join(', ')}, and vireo had only begun to make one of that name: it is left alone. Choose another name by a new object, or stop what uses it if it may be removed.` })
    return transferring(`Removing the half volume ${inputs.binding.name}.`, {
      actions: [{ type: 'HalfRemoved', guarded: true, reason: `Removed the volume ${inputs.binding.pool}/${inputs.binding.name}, whose content was not whole, to begin again.` }],
    })
  }
  if (job?.state.phase === 'Failed' && job.attempt === attempt) {
    const { reason, message, retryAt, stalled } = job.state
    if (retryAt === undefined) return planOf({ reason, message })
    const wait = retryAt - inputs.now
    if (wait > 0) return planOf({ reason: stalled ? reason : 'Transferring', message: `${message} Trying again at ${new Date(retryAt).toISOString().slice(11, 19)} UTC.` }, { requeueAfter: wait })
  }
  return planBeginning(inputs)
}

const stopChanged: VolumeAction = { type: 'TransferStopped', reason: 'Stopped the transfer: the spec was changed.' }

const words = (inputs: VolumeInputs): { verb: string; doing: string } => {
  switch (inputs.origin?.type) {
    case 'Url': return { verb: 'fetch', doing: 'Fetching' }
    case 'Clone': return { verb: 'copy', doing: 'Copying' }
    default: return { verb: 'make', doing: 'Making' }
  }
}

const planBeginning = (inputs: VolumeInputs): VolumePlan =>
  transferring(`Opening ${from(inputs)}.`, { actions: [{ type: 'SourceOpened', reason: `Preparing to ${words(inputs).verb} ${from(inputs)}.` }] })

function planRunning(inputs: VolumeInputs, state: JobState): VolumePlan {
  switch (state.phase) {
    case 'Queued': return transferring(`Waiting for another transfer to Hypervisor ${inputs.bound.name} to end: its spec.connection.maxConnections is ${inputs.bound.host.streams.max}.`)
    case 'Inspecting': return transferring(`Opening ${from(inputs)}.`)
    case 'Inspected':
      // The status written after this plan is the record; the next plan goes on.
      if (inputs.record === 'None') return transferring(`${words(inputs).doing} ${from(inputs)}.`, { requeueAfter: 1 })
      return transferring(`${words(inputs).doing} ${from(inputs)}.`, { actions: [{ type: 'TransferStarted', guarded: true, reason: `Began to ${words(inputs).verb} ${from(inputs)} into ${inputs.binding.pool}/${inputs.binding.name}.` }] })
    case 'Writing': return transferring(`${words(inputs).doing} ${from(inputs)}.`)
    case 'Done':
    case 'Failed': return transferring(`Looking at what became of ${from(inputs)}.`)
  }
}
