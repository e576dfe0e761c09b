// Makes a private host a gateway to ESX and vCenter: libvirt's drivers are real, the servers are govmomi's simulator (esxsim/).
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { goProgram } from '../../../scripts/goprogram.ts'
import type { HostExtension, PrivateLibvirtd } from '../libvirtd.ts'

const sources = join(import.meta.dirname, 'esxsim')
const account = { user: 'operator', password: 'let-me-in' }

export type EsxKind = 'esx' | 'vpx'

/** The simulator, built where the cache does not have it yet (half a minute). */
export async function buildEsxsim(say?: (line: string) => void): Promise<string> {
  return await goProgram({ name: 'esxsim', module: sources, say })
}

/** A server behind the gateway. */
export class EsxServer {
  readonly kind: EsxKind
  readonly #port: number
  /** Folders of the datastores, by name; all of this machine can see them. */
  datastores: Record<string, string> = {}

  constructor(kind: EsxKind) {
    this.kind = kind
    this.#port = kind === 'esx' ? 8989 : 8990
  }

  get extension(): HostExtension {
    return {
      setup: join(sources, 'gateway.sh'),
      // Credentials are the gateway's business: they are in its own file, and in no URI.
      prepare: folder => writeFile(join(folder, 'conf/auth.conf'), [
        '[credentials-simulator]', `username=${account.user}`, `password=${account.password}`,
        '[auth-esx-127.0.0.1]', 'credentials=simulator', '[auth-vpx-127.0.0.1]', 'credentials=simulator', '',
      ].join('\n'), { mode: 0o600 }),
      start: host => this.#start(host),
    }
  }

  async #start(host: PrivateLibvirtd): Promise<void> {
    // What it keeps is gone with the host.
    const files = join(host.folder, this.kind)
    await mkdir(files)
    const [program, ...args] = host.enter(['env', `TMPDIR=${files}`, await buildEsxsim(), this.kind, `127.0.0.1:${this.#port}`, account.user, account.password])
    const child = spawn(program ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      child.once('error', reject)
      child.once('close', () => reject(new Error(`the ESX simulator did not start: ${Buffer.concat(said).toString().trim()}`)))
    })
    this.datastores = (JSON.parse(line) as { datastores: Record<string, string> }).datastores
  }

  /** The URI by which vireo reaches this server through the gateway's socket, as a user whose password the gateway may know. */
  uri(socket: string, user = account.user): string {
    const path = this.kind === 'esx' ? '/' : '/DC0/DC0_H0'
    return `${this.kind}+unix:///?socket=${socket}&name=${encodeURIComponent(`${this.kind}://${user}@127.0.0.1:${this.#port}${path}?no_verify=1`)}`
  }

  /** Puts a disk into the first datastore, where a machine's configuration goes beside it; answers how libvirt names it. */
  async disk(name: string): Promise<string> {
    const [datastore, folder] = Object.entries(this.datastores)[0]!
    await mkdir(join(folder, name), { recursive: true })
    for (const file of [`${name}.vmdk`, `${name}-flat.vmdk`]) await writeFile(join(folder, name, file), '')
    return `[${datastore}] ${name}/${name}.vmdk`
  }
}

export const machineXML = (name: string, uuid: string, disk: string): string => `<domain type='vmware'><name>${name}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>
  <devices><disk type='file' device='disk'><source file='${disk}'/><target dev='sda' bus='scsi'/></disk><controller type='scsi' index='0' model='lsilogic'/></devices></domain>`
