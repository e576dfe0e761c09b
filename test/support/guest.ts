// Builds the guest that the tests boot: Debian's cloud kernel and a busybox root, as a bootable disk and as kernel and initrd.
// It is built once into the cache; guest/*.sh say what the guest does.
import { createHash, randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { cacheFolder } from '../../scripts/cache.ts'
import { runOk } from '../../scripts/run.ts'

export interface GuestImage {
  /** A bootable (BIOS) disk, compressed. */
  qcow2: string
  /** The same disk, raw. */
  raw: string
  /** For `os.kernelBoot` with the command line `console=ttyS0`. */
  kernel: string
  initrd: string
  /** The same with QEMU's guest agent in it. */
  agentInitrd: string
  /** Bytes that a volume needs to hold the disk. */
  virtualSize: number
  /** Checksums of the qcow2 file, in hexadecimal. */
  sha256: string
  sha512: string
}

const sources = join(import.meta.dirname, 'guest')

/** In the order of loading; `modprobe --show-depends` adds what each one needs. */
const modules = [
  'virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_scsi', 'virtio_balloon', 'virtio_rng', 'virtio_console', 'sd_mod', 'sr_mod', 'ata_piix',
  'isofs', 'vfat', 'nls_cp437', 'nls_iso8859-1', 'nls_ascii', 'nls_utf8', 'button', 'evdev', 'pvpanic-mmio', 'pvpanic-pci',
]
const sector = 512
const partitionStart = 2048 * sector

/** The guest image, built where the cache does not have it yet (half a minute). Needs Debian's package servers only then. */
export async function buildGuestImage(): Promise<GuestImage> {
  const folder = join(cacheFolder(), `guest-${await inputsHash()}`)
  if (await stat(folder).catch(() => undefined) === undefined) {
    const draft = await mkdtemp(join(tmpdir(), 'vireo-guest-'))
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
  }
  const qcow2 = await readFile(join(folder, 'guest.qcow2'))
  return {
    qcow2: join(folder, 'guest.qcow2'),
    raw: join(folder, 'guest.raw'),
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd'),
    agentInitrd: join(folder, 'initrd-agent'),
    virtualSize: (await stat(join(folder, 'guest.raw'))).size,
    sha256: createHash('sha256').update(qcow2).digest('hex'),
    sha512: createHash('sha512').update(qcow2).digest('hex'),
  }
}

async function inputsHash(): Promise<string> {
  const hash = createHash('sha256')
  hash.update(await readFile(import.meta.filename))
  for (const file of (await readdir(sources)).toSorted()) hash.update(file).update(await readFile(join(sources, file)))
  return hash.digest('hex').slice(0, 16)
}

async function build(draft: string): Promise<void> {
  const image = join(draft, 'image')
  await mkdir(image)
  const { vmlinuz, tree, version } = await fetchKernel(draft)
  await copyFile(vmlinuz, join(image, 'vmlinuz'))
  await buildInitrd(draft, tree, version, join(image, 'initrd'))
  await addAgent(draft, join(image, 'initrd'), join(image, 'initrd-agent'))
  await buildDisk(draft, image)
  await runOk(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', join(image, 'guest.raw'), join(image, 'guest.qcow2')])
}

/** Fetches a Debian package and unpacks it below the draft; answers where. Nothing is installed. */
async function unpack(name: string, draft: string): Promise<string> {
  const folder = join(draft, `package-${name}`)
  await mkdir(folder)
  await runOk(['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', name], { cwd: folder })
  const [archive] = await readdir(folder)
  if (archive === undefined) throw new Error(`apt-get download brought no ${name}`)
  const tree = join(folder, 'tree')
  await runOk(['dpkg-deb', '-x', join(folder, archive), tree])
  return tree
}

/** Unpacks Debian's newest cloud kernel beside the machine's own, which stays as it is. */
async function fetchKernel(draft: string): Promise<{ vmlinuz: string; tree: string; version: string }> {
  const depends = await runOk(['apt-cache', 'depends', 'linux-image-cloud-amd64'])
  const name = /linux-image-(\S+-cloud-amd64)/.exec(depends.replace(/^\S.*$/m, ''))?.[1]
  if (name === undefined) throw new Error(`apt-cache names no cloud kernel: ${depends}`)
  const tree = await unpack(`linux-image-${name}`, draft)
  await runOk(['depmod', '-b', tree, name])
  return { vmlinuz: join(tree, 'boot', `vmlinuz-${name}`), tree, version: name }
}

async function buildInitrd(draft: string, tree: string, version: string, target: string): Promise<void> {
  const root = join(draft, 'root')
  for (const folder of ['bin', 'dev', 'etc/acpi/PWRF', 'lib/modules', 'proc', 'run', 'sys', 'var/log', 'var/run']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  await copyFile(await busybox(), join(root, 'bin/busybox'))
  for (const applet of (await runOk([join(root, 'bin/busybox'), '--list'])).trim().split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet))
  }
  const scripts: Record<string, string> = {
    'init.sh': 'init', 'nic.sh': 'etc/nic', 'lease.sh': 'etc/lease', 'hotplug.sh': 'etc/hotplug',
    'power-button.sh': 'etc/acpi/PWRF/00000080',
  }
  for (const [source, place] of Object.entries(scripts)) {
    await copyFile(join(sources, source), join(root, place))
    await chmod(join(root, place), 0o755)
  }
  const needed = await runOk(['modprobe', '-d', tree, '-S', version, '--show-depends', '-a', ...modules])
  const files = [...new Set([...needed.matchAll(/^insmod (\S+)/gm)].map(match => match[1] ?? ''))]
  for (const file of files) await copyFile(file, join(root, 'lib/modules', basename(file)))
  await writeFile(join(root, 'etc/modules'), files.map(file => `${basename(file)}\n`).join(''))
  await archive(root, target)
}

/** QEMU's guest agent with the libraries that it needs, which QEMU's own package brought: a second archive behind the first, as the kernel takes them. */
async function addAgent(draft: string, initrd: string, target: string): Promise<void> {
  const root = join(draft, 'agent')
  const program = join(await unpack('qemu-guest-agent', draft), 'usr/sbin/qemu-ga')
  await mkdir(join(root, 'bin'), { recursive: true })
  await mkdir(join(root, 'etc'))
  await copyFile(program, join(root, 'bin/qemu-ga'))
  await writeFile(join(root, 'etc/os-release'), 'NAME="vireo test guest"\nVERSION_ID=1\nPRETTY_NAME="vireo test guest 1 (busybox)"\n')
  for (const [path] of (await runOk(['ldd', program])).matchAll(/\/lib\S+/g)) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
  await copyFile(initrd, target)
  await archive(root, join(draft, 'agent.cpio'))
  await writeFile(target, await readFile(join(draft, 'agent.cpio')), { flag: 'a' })
}

/** Packs a folder as the kernel takes it. */
async function archive(root: string, target: string): Promise<void> {
  const names = await runOk(['find', '.', '-print0'], { cwd: root })
  await runOk(['cpio', '--null', '--create', '--quiet', '--format=newc', '--owner=0:0', `--file=${target}`], { cwd: root, input: names })
}

/** The path of a busybox that needs no libraries. */
export async function busybox(): Promise<string> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    if (await stat(path).catch(() => undefined) !== undefined) return path
  }
  throw new Error('busybox is missing: install the package busybox-static')
}

/** An MBR and one FAT partition with syslinux, kernel and initrd: made of plain files, without mounting anything. */
async function buildDisk(draft: string, image: string): Promise<void> {
  const partition = join(draft, 'partition')
  const content = ['vmlinuz', 'initrd'].map(file => join(image, file))
  const bytes = (await Promise.all(content.map(file => stat(file)))).reduce((sum, { size }) => sum + size, 0)
  const sectors = Math.ceil((bytes + 4 * 2 ** 20) / (63 * 16 * sector)) * 63 * 16
  await writeFile(partition, '')
  await truncate(partition, sectors * sector)
  await runOk(['mformat', '-i', partition, '-T', String(sectors), '-h', '16', '-s', '63', '-H', String(partitionStart / sector), '::'])
  await runOk(['mcopy', '-i', partition, ...content, join(sources, 'syslinux.cfg'), '::'])
  await runOk(['syslinux', '--install', partition])

  const raw = join(image, 'guest.raw')
  const mbr = Buffer.alloc(sector)
  ;(await readFile('/usr/lib/SYSLINUX/mbr.bin')).copy(mbr)
  mbr.set([0x80, 0xfe, 0xff, 0xff, 0x0e, 0xfe, 0xff, 0xff], 446) // active, FAT16 with LBA
  mbr.writeUInt32LE(partitionStart / sector, 454)
  mbr.writeUInt32LE(sectors, 458)
  mbr.writeUInt16LE(0xaa55, 510)
  await writeFile(raw, mbr)
  await truncate(raw, partitionStart)
  await writeFile(raw, await readFile(partition), { flag: 'a' })
}

async function truncate(path: string, size: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.truncate(size)
}
