#!/usr/bin/env node
// vireo: the command line. Parses flags and hands over to one file per command.

import './engine.ts'
import { flushCompileCache } from 'node:module'
import { Command, Option } from 'commander'
import type { ControllerFlags } from './controller.ts'
import type { DevFlags } from './dev.ts'
import { stopSignal } from './signals.ts'

const program = new Command('vireo')
  .description('Virtual machines declarative on the libvirt hosts people already have.')
  .showHelpAfterError()

program.command('controller')
  .description('Runs the operator against a Kubernetes cluster.')
  .addOption(new Option('--kubeconfig <file>', 'kubeconfig to use; inside a cluster its service account').env('KUBECONFIG'))
  .option('--context <name>', 'context of the kubeconfig')
  .addOption(new Option('--installation <uuid>', 'UUID that the identities on the hosts derive from (default: the UID of the namespace kube-system)').env('VIREO_INSTALLATION'))
  .addOption(new Option('--health-address <address>', 'where /healthz, /readyz and /metrics are served').env('VIREO_HEALTH_ADDRESS').default('127.0.0.1:8080'))
  .option('--no-leader-election', 'run without a Lease: only where no second controller can be')
  .addOption(new Option('--lease-namespace <namespace>', 'namespace of the Lease').env('VIREO_NAMESPACE').default('vireo-system'))
  .option('--allow-local-uris', 'let connection URIs name files that the controller reads and programs that it runs (socket, keyfile, pkipath, command, ext …)', false)
  .option('--relist-interval <duration>', 'how often each host is listed anew, for what has no event', '10m')
  .addOption(new Option('--source-addresses <ranges>', 'addresses that images may come from although they are loopback, link-local or a cloud\'s metadata service: 127.0.0.0/8,fd00:1::5').env('VIREO_SOURCE_ADDRESSES').argParser(text => text.split(',').map(range => range.trim()).filter(range => range !== '')))
  .addOption(new Option('--log-level <level>', 'least severe level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).env('VIREO_LOG_LEVEL').default('info'))
  .action(async (flags: ControllerFlags) => {
    const { runController } = await import('./controller.ts')
    flushCompileCache()
    await runController(flags, stopSignal())
  })

program.command('dev')
  .description('Runs a development control plane and the controller on it, from a checkout (npm start).')
  .option('--data <folder>', 'where its state is kept, relative to the checkout', '.vireo')
  .addOption(new Option('--health-address <address>', 'where /healthz, /readyz and /metrics are served').env('VIREO_HEALTH_ADDRESS').default('127.0.0.1:8080'))
  .addOption(new Option('--log-level <level>', 'least severe level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).env('VIREO_LOG_LEVEL').default('info'))
  .action(async (flags: DevFlags) => {
    const { runDev } = await import('./dev.ts')
    await runDev(flags)
  })

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`vireo: ${error instanceof Error ? error.message : String(error)}\n`)
  // A lost lease must end the process at once: somebody else may be leading, and what still runs here is not fenced.
  process.exit(1)
}
