#!/usr/bin/env node
// vireo: the command line. Parses flags and hands over to one file per command.

import './engine.ts'
import { flushCompileCache } from 'node:module'
import { Command, Option } from 'commander'
import about from '../package.json' with { type: 'json' }
import type { ControllerFlags } from './controller.ts'
import type { DevFlags } from './dev.ts'
import type { ImportFlags } from './import.ts'
import { say } from './say.ts'
import { stopSignal } from './signals.ts'
import type { StandaloneFlags } from './standalone.ts'
import type { UserFlags } from './user.ts'

const program = new Command('vireo')
  .description('Virtual machines declarative on the libvirt hosts people already have.')
  .version(about.version, '--version', 'print the version')
  .showHelpAfterError()

const sourceAddresses = (): Option => new Option('--source-addresses <ranges>', 'addresses that images may come from although they are loopback, link-local or a cloud\'s metadata service: 127.0.0.0/8,fd00:1::5').env('VIREO_SOURCE_ADDRESSES').argParser(text => text.split(',').map(range => range.trim()).filter(range => range !== ''))

program.command('controller')
  .description('Runs the operator against a Kubernetes cluster.')
  .addOption(new Option('--kubeconfig <file>', 'kubeconfig to use; inside a cluster its service account').env('KUBECONFIG'))
  .option('--context <name>', 'context of the kubeconfig')
  .addOption(new Option('--installation <name>', 'name or UUID that the identities on the hosts derive from (default: the UID of the namespace kube-system)').env('VIREO_INSTALLATION'))
  .addOption(new Option('--health-address <address>', 'where /healthz, /readyz and /metrics are served').env('VIREO_HEALTH_ADDRESS').default('127.0.0.1:8080'))
  .option('--no-leader-election', 'run without a Lease: only where no second controller can be')
  .addOption(new Option('--lease-namespace <namespace>', 'namespace of the Lease').env('VIREO_NAMESPACE').default('vireo-system'))
  .option('--allow-local-uris', 'let connection URIs name files that the controller reads and programs that it runs (socket, keyfile, pkipath, command, ext …)', false)
  .option('--relist-interval <duration>', 'how often each host is listed anew, for what has no event', '10m')
  .addOption(sourceAddresses())
  .addOption(new Option('--log-level <level>', 'least severe level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).env('VIREO_LOG_LEVEL').default('info'))
  .action(async (flags: ControllerFlags) => {
    const { runController } = await import('./controller.ts')
    flushCompileCache()
    await runController(flags, stopSignal())
  })

program.command('standalone')
  .description('Runs a Kubernetes-compatible API on an embedded database and the operator on it, in one process: no cluster needed.')
  .addOption(new Option('--data <folder>', 'where everything is kept: database, keys, certificates, kubeconfig, audit log').env('VIREO_DATA').default('/var/lib/vireo/standalone'))
  .addOption(new Option('--listen <address>', 'HOST:PORT of the API; port 0 takes one that is free').env('VIREO_LISTEN').default('127.0.0.1:6443'))
  .addOption(new Option('--public', 'allow an address that other machines reach').env('VIREO_PUBLIC'))
  .option('--name <name...>', 'further DNS names and addresses that clients reach the API by: its certificate names them')
  .option('--no-operator', 'serve the API alone: a "vireo controller" elsewhere works on it')
  .addOption(new Option('--installation <name>', 'name or UUID that the identities on the hosts derive from (default: one drawn at the first start and kept)').env('VIREO_INSTALLATION'))
  .option('--import <uri...>', 'show what these hosts already hold as objects that only look at it, in the namespace default')
  .addOption(new Option('--health-address <address>', 'where /healthz, /readyz and /metrics of the operator are served (default: nowhere)').env('VIREO_HEALTH_ADDRESS'))
  .option('--relist-interval <duration>', 'how often each host is listed anew, for what has no event', '10m')
  .option('--allow-local-uris', 'let connection URIs name files that the controller reads and programs that it runs (socket, keyfile, pkipath, command, ext …)', false)
  .addOption(sourceAddresses())
  .addOption(new Option('--log-level <level>', 'least severe level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).env('VIREO_LOG_LEVEL').default('info'))
  .action(async (flags: StandaloneFlags) => {
    const { runStandalone } = await import('./standalone.ts')
    flushCompileCache()
    await runStandalone(flags, stopSignal())
  })

program.command('import <uri>')
  .description('Prints manifests that show what a host already holds, as objects that only look at it: a Hypervisor, and an ObserveOnly object for each domain, network, pool and volume.')
  .option('--hypervisor <name>', 'name of the Hypervisor (default: after the URI)')
  .option('--namespace <namespace>', 'where the objects go', 'default')
  .option('--allow-local-uris', 'let the URI name files that are read and programs that are run (socket, keyfile, pkipath, command, ext …)', false)
  .action(async (uri: string, flags: ImportFlags) => {
    const { manifestsOf } = await import('./import.ts')
    process.stdout.write(await manifestsOf(uri, flags, line => { process.stderr.write(`${line}\n`) }, stopSignal()))
  })

const data = (): Option => new Option('--data <folder>', 'folder of the standalone vireo').env('VIREO_DATA').default('/var/lib/vireo/standalone')

program.command('backup <folder>')
  .description('Copies all that a standalone vireo keeps into a new folder, while it runs. The copy holds the key of its Secrets.')
  .addOption(data())
  .action(async (folder: string, flags: { data: string }) => {
    const { backUp } = await import('../apiserver/backup.ts')
    backUp(flags.data, folder)
    say(`Backed up ${flags.data} to ${folder}: keep it as safe as the Secrets in it.`)
  })

program.command('restore <folder>')
  .description('Puts a backup back, into a folder that holds no database.')
  .addOption(data())
  .action(async (folder: string, flags: { data: string }) => {
    const { restore } = await import('../apiserver/backup.ts')
    restore(folder, flags.data)
    say(`Restored ${folder} to ${flags.data}: start "vireo standalone" with it.`)
  })

program.command('user <name>')
  .description('Lets a user into a standalone vireo and prints its kubeconfig; of the same name again, the old token is refused.')
  .addOption(data())
  .addOption(new Option('--role <role>', 'admin may do everything, view may read all but Secrets').choices(['admin', 'view']).default('view'))
  .option('--namespace <name...>', 'only in these namespaces')
  .option('--certificate', 'a client certificate in place of a token')
  .option('--server <url>', 'address of the API in the kubeconfig (default: as in the administrator\'s)')
  .option('--remove', 'take the user away')
  .action(async (name: string, flags: UserFlags) => {
    const { user } = await import('./user.ts')
    process.stdout.write(await user(name, flags))
  })

// It builds a control plane with the checkout's own scripts, which are not part of the built program.
if (import.meta.url.endsWith('.ts')) {
  program.command('dev')
    .description('Runs a real control plane (etcd, kube-apiserver) and the controller on it, from a checkout (npm run dev).')
    .option('--data <folder>', 'where its state is kept, relative to the checkout', '.vireo/dev')
    .addOption(new Option('--health-address <address>', 'where /healthz, /readyz and /metrics are served').env('VIREO_HEALTH_ADDRESS').default('127.0.0.1:8080'))
    .addOption(new Option('--log-level <level>', 'least severe level that is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).env('VIREO_LOG_LEVEL').default('info'))
    .action(async (flags: DevFlags) => {
      const { runDev } = await import('./dev.ts')
      await runDev(flags)
    })
}

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`vireo: ${error instanceof Error ? error.message : String(error)}\n`)
  // A lost lease must end the process at once: somebody else may be leading, and what still runs here is not fenced.
  process.exit(1)
}
