// The same requests to the real kube-apiserver and to ours: what they answer is the same, but for the differences that are written down.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ControlPlane, startControlPlane } from '../../scripts/devcluster/controlplane.ts'
import { differences } from './differences.ts'
import { cases } from './support/cases.ts'
import { Endpoint } from './support/endpoint.ts'
import { prepare } from './support/prepare.ts'
import { Standalone } from './support/standalone.ts'
import { type Masked, play } from './support/steps.ts'

let folder: string
let plane: ControlPlane
let standalone: Standalone
let theirs: Endpoint
let ours: Endpoint

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vireo-differential-'))
  plane = await startControlPlane({ dir: join(folder, 'plane'), durable: false })
  standalone = await Standalone.start(join(folder, 'standalone'))
  theirs = await Endpoint.fromKubeconfig('kube-apiserver', plane.kubeconfig)
  ours = await Endpoint.fromKubeconfig('vireo', standalone.kubeconfig)
  await Promise.all([prepare(theirs), prepare(ours)])
}, 900_000)

afterAll(async () => {
  await Promise.all([theirs?.close(), ours?.close()])
  await standalone?.end('SIGTERM')
  await plane?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

/** Answers as they would be without the differences that are written down for this case; each of those has to be there. */
function reconciled(name: string, mine: Masked[], real: Masked[]): { mine: Masked[]; real: Masked[] } {
  const known = differences.filter(({ of }) => of === name)
  for (const { step } of known) expect(mine[step - 1], `${name}, step ${step}: a difference that is written down is gone: take it out of differences.ts`).not.toEqual(real[step - 1])
  const kept = (answers: Masked[]): Masked[] => answers.filter((_, at) => !known.some(({ step }) => step === at + 1))
  return { mine: kept(mine), real: kept(real) }
}

describe('answers', () => {
  test.each(cases.map(one => [one.name, one] as const))('%s', async (name, one) => {
    const [real, mine] = await Promise.all([play(one, theirs), play(one, ours)])
    const { mine: left, real: right } = reconciled(name, mine, real)
    expect(left).toEqual(right)
  })

  test('every case has a name of its own, and every difference a case', () => {
    const names = cases.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(differences.filter(({ of }) => !names.includes(of))).toEqual([])
    expect(cases.flatMap(({ steps }) => steps).length).toBeGreaterThan(300)
  })
})
