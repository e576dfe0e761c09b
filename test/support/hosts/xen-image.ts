// Builds the Xen host that the tests start: Debian's Xen, dom0 and libvirtd, booted once under QEMU and kept as it then stands.
import { createHash, randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { cacheFolder } from '../../../scripts/cache.ts'
import { runOk } from '../../../scripts/run.ts'
import { createAuthority } from '../certificates.ts'
import { copyModules, fetchKernel, installBusybox, packInitrd, type Kernel } from '../linux.ts'
import { bootXen, type XenImage } from './xen-machine.ts'

const sources = join(import.meta.dirname, 'xen')

export const xenHostUUID = '8f14e45f-ceea-467a-9575-6d5b5f5e6f10'
/** Where the files of a paravirtual guest are in dom0. */
export const xenGuest = { kernel: '/vireo/guest/vmlinuz', initrd: '/vireo/guest/initrd', disk: '/vireo/guest/disk.raw' }

const packages = ['xen-utils-4.17', 'xen-hypervisor-4.17-amd64', 'libvirt-daemon', 'libvirt-daemon-driver-xen', 'busybox-static', 'iproute2', 'kmod', 'procps', 'udev']
const dom0Modules = ['xen-evtchn', 'xen-gntdev', 'xen-gntalloc', 'xen-privcmd', 'xenfs', 'xen-blkback', 'xen-netback', 'loop', 'bridge', 'virtio_net']

/** The Xen host, built where the cache does not have it yet (three minutes). Needs Debian's package servers only then. */
export async function buildXenImage(say: (line: string) => void = () => {}): Promise<XenImage> {
  const folder = join(cacheFolder(), `xen-${await inputsHash()}`)
  const image: XenImage = { xen: join(folder, 'xen'), vmlinuz: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd'), disk: join(folder, 'disk.qcow2'), state: join(folder, 'state'), tls: join(folder, 'tls.json') }
  if (await stat(folder).catch(() => undefined) !== undefined) return image
  say(`building the Xen host once into ${folder}; this takes about three minutes on two cores`)
  const draft = await mkdtemp(join(tmpdir(), `vireo-xen-build-${process.pid}-`))
  try {
    await build(draft)
    await mkdir(cacheFolder(), { recursive: true })
    // Another run may build at the same time: the folder appears whole, and the first one stays.
    const staged = `${folder}.${randomUUID()}`
    await runOk(['cp', '-r', '--sparse=always', join(draft, 'image'), staged])
    await rename(staged, folder).catch(() => rm(staged, { recursive: true }))
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return image
}

/** A state fits the QEMU that wrote it. */
async function inputsHash(): Promise<string> {
  const hash = createHash('sha256').update(await runOk(['qemu-system-x86_64', '--version']))
  const code = ['xen-image.ts', 'xen-machine.ts', '../linux.ts', '../certificates.ts'].map(file => join(import.meta.dirname, file))
  for (const file of [...code, ...(await readdir(sources)).toSorted().map(name => join(sources, name))]) hash.update(await readFile(file))
  return hash.digest('hex').slice(0, 16)
}

async function build(draft: string): Promise<void> {
  const image = join(draft, 'image')
  const root = join(draft, 'root')
  await mkdir(image)
  const [kernel, cloud] = [await fetchKernel(join(draft, 'kernel'), 'linux-image-amd64'), await fetchKernel(join(draft, 'cloud'), 'linux-image-cloud-amd64')]
  await runOk(['mmdebstrap', '--variant=minbase', '--aptopt=Apt::Install-Recommends "0"', `--include=${packages.join(',')}`,
    ...['doc', 'locale', 'man', 'info'].map(part => `--dpkgopt=path-exclude=/usr/share/${part}/*`), 'bookworm', root])
  await configure(root)
  await certify(root, join(image, 'tls.json'))
  const modules = await copyModules(kernel, dom0Modules, join(root, 'vireo'))
  await writeFile(join(root, 'vireo/modules'), modules.map(file => `${file}\n`).join(''))

  await mkdir(join(root, 'vireo/guest'))
  await copyFile(cloud.vmlinuz, join(root, xenGuest.kernel))
  await packSystem(join(draft, 'guest'), cloud, ['xen-blkfront', 'xen-netfront'], 'guest.sh', join(root, xenGuest.initrd))
  await writeFile(join(root, xenGuest.disk), Buffer.alloc(4 * 2 ** 20))

  await writeFile(join(image, 'xen'), gunzipSync(await readFile(join(root, 'boot/xen-4.17-amd64.gz'))))
  await copyFile(kernel.vmlinuz, join(image, 'vmlinuz'))
  await packSystem(join(draft, 'initrd'), kernel, ['virtio_pci', 'virtio_blk', 'ext4'], 'initrd.sh', join(image, 'initrd'))
  const raw = join(draft, 'disk.raw')
  await runOk(['truncate', '--size=640M', raw])
  // Without a journal: nobody mounts it after a crash.
  await runOk(['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-d', root, raw])
  await runOk(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, join(image, 'disk.qcow2')])
  await bootOnce(image)
}

async function configure(root: string): Promise<void> {
  await mkdir(join(root, 'etc/libvirt'), { recursive: true })
  await writeFile(join(root, 'etc/libvirt/libvirtd.conf'), [
    'listen_tls = 1', 'listen_tcp = 1', 'auth_tcp = "none"', `host_uuid = "${xenHostUUID}"`, 'audit_level = 0', 'log_outputs = "3:file:/var/log/libvirtd.log"', '',
  ].join('\n'))
  // It wants a user that is not there, and takes the daemon with it.
  await rm(join(root, 'usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so'))
  await copyFile(join(sources, 'dom0.sh'), join(root, 'vireo-dom0'))
  await chmod(join(root, 'vireo-dom0'), 0o755)
}

/** Gives libvirtd its certificate, and writes down what a client of it needs. */
async function certify(root: string, client: string): Promise<void> {
  const years = 3650
  const authority = await createAuthority('vireo test Xen host', years)
  const server = await authority.issue('xen', { names: ['127.0.0.1', 'localhost'], until: years })
  const { cert, key } = await authority.issue('operator', { until: years })
  await mkdir(join(root, 'etc/pki/CA'), { recursive: true })
  await mkdir(join(root, 'etc/pki/libvirt/private'), { recursive: true })
  await writeFile(join(root, 'etc/pki/CA/cacert.pem'), authority.ca)
  await writeFile(join(root, 'etc/pki/libvirt/servercert.pem'), server.cert)
  await writeFile(join(root, 'etc/pki/libvirt/private/serverkey.pem'), server.key, { mode: 0o600 })
  await writeFile(client, JSON.stringify({ ca: authority.ca, cert, key }), { mode: 0o600 })
}

/** An initrd of busybox, modules and one script as its first process. */
async function packSystem(root: string, kernel: Kernel, modules: readonly string[], script: string, target: string): Promise<void> {
  for (const folder of ['dev', 'etc', 'proc', 'root', 'sys']) await mkdir(join(root, folder), { recursive: true })
  await installBusybox(join(root, 'bin'))
  // A kernel that is told to power off runs /sbin/poweroff.
  await mkdir(join(root, 'sbin'))
  await writeFile(join(root, 'sbin/poweroff'), '#!/bin/sh\nexec /bin/poweroff -f\n', { mode: 0o755 })
  await writeFile(join(root, 'sbin/reboot'), '#!/bin/sh\nexec /bin/reboot -f\n', { mode: 0o755 })
  const files = await copyModules(kernel, modules, join(root, 'lib/modules'))
  await writeFile(join(root, 'etc/modules'), files.map(file => `${file}\n`).join(''))
  await copyFile(join(sources, script), join(root, 'init'))
  await chmod(join(root, 'init'), 0o755)
  await packInitrd(root, target)
}

/** Boots the host, and writes its memory down as soon as libvirtd answers: from there it goes on in a second. */
async function bootOnce(image: string): Promise<void> {
  const files = { xen: join(image, 'xen'), vmlinuz: join(image, 'vmlinuz'), initrd: join(image, 'initrd'), disk: join(image, 'disk.qcow2') }
  await using machine = await bootXen(files, { keepsDisk: true })
  await machine.answers(300_000)
  await machine.save(join(image, 'state'))
}
