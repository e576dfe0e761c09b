// Vireo's own API in the place of the development control plane: a process of its own, without the operator.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { controlPlanePrograms } from '../../../scripts/devcluster/build.ts'
import type { ControlPlane } from '../../../scripts/devcluster/controlplane.ts'
import { type RunResult, run, runOk } from '../../../scripts/run.ts'
import { vireo } from '../../support/program.ts'
import { Standalone } from '../../apiserver/support/standalone.ts'

/** Holds all state in `dir`. Users and service accounts are admins: roles are what the API has in place of RBAC. */
export async function startStandalonePlane(dir: string): Promise<ControlPlane> {
  const kubectlProgram = join(await controlPlanePrograms(), 'kubectl')
  const data = join(dir, 'standalone')
  let server = await Standalone.start(data, { flags: ['--no-operator'] })
  const { url } = server
  const kubectl = (args: readonly string[], input?: string, kubeconfig = join(data, 'kubeconfig')): Promise<RunResult> =>
    run([kubectlProgram, ...args], { input, env: { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(dir, 'kubectl-cache') } })
  const kubeconfigForUser = async (name: string): Promise<string> => {
    const file = join(dir, `kubeconfig-${name.replaceAll(':', '-')}`)
    await writeFile(file, await runOk([process.execPath, vireo(), 'user', name, '--role', 'admin', '--data', data]), { mode: 0o600 })
    return file
  }
  const stop = async (): Promise<void> => { await server.end('SIGKILL') }
  return {
    url,
    kubeconfig: join(data, 'kubeconfig'),
    kubectlProgram,
    kubectl,
    kubeconfigForUser,
    kubeconfigForServiceAccount: (namespace, name) => kubeconfigForUser(`system:serviceaccount:${namespace}:${name}`),
    signalApiserver: signal => { server.signal(signal) },
    restartApiserver: async () => {
      await server.end('SIGKILL')
      server = await Standalone.start(data, { flags: ['--no-operator'], listen: new URL(url).host })
    },
    // It ends when it is told to; whoever asks it after that hears so.
    failure: new Promise<never>(() => undefined),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
