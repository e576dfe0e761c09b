// What test images are made of: Debian's kernels with chosen modules, busybox, and the initrds that hold them.
import { copyFile, mkdir, readdir, stat, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runOk } from '../../scripts/run.ts'

export interface Kernel {
  vmlinuz: string
  /** The unpacked package: `lib/modules/VERSION` is in it. */
  tree: string
  version: string
}

/** Fetches a Debian package and unpacks it into `folder`, which is made; answers where. Nothing is installed. */
export async function unpackPackage(name: string, folder: string): Promise<string> {
  const tree = join(folder, 'tree')
  await mkdir(folder, { recursive: true })
  await runOk(['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', name], { cwd: folder })
  const archive = (await readdir(folder)).find(file => file.endsWith('.deb'))
  if (archive === undefined) throw new Error(`apt-get download brought no ${name}`)
  await runOk(['dpkg-deb', '-x', join(folder, archive), tree])
  return tree
}

/** Unpacks the kernel that one of Debian's metapackages names into `folder`, which is made; the machine's own stays as it is. */
export async function fetchKernel(folder: string, metapackage: 'linux-image-amd64' | 'linux-image-cloud-amd64'): Promise<Kernel> {
  const depends = await runOk(['apt-cache', 'depends', metapackage])
  const version = /linux-image-(\d\S+)/.exec(depends)?.[1]
  if (version === undefined) throw new Error(`apt-cache names no kernel for ${metapackage}: ${depends}`)
  const tree = await unpackPackage(`linux-image-${version}`, folder)
  await runOk(['depmod', '-b', tree, version])
  return { vmlinuz: join(tree, 'boot', `vmlinuz-${version}`), tree, version }
}

/** Copies modules and what they need into a folder; answers their file names in the order of loading. */
export async function copyModules({ tree, version }: Kernel, modules: readonly string[], folder: string): Promise<string[]> {
  const needed = await runOk(['modprobe', '-d', tree, '-S', version, '--show-depends', '-a', ...modules])
  const files = [...new Set([...needed.matchAll(/^insmod (\S+)/gm)].map(match => match[1] ?? ''))]
  await mkdir(folder, { recursive: true })
  for (const file of files) await copyFile(file, join(folder, basename(file)))
  return files.map(file => basename(file))
}

/** The path of a busybox that needs no libraries. */
async function busybox(): Promise<string> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    if (await stat(path).catch(() => undefined) !== undefined) return path
  }
  throw new Error('busybox is missing: install the package busybox-static')
}

/** Puts busybox under all its names into a folder. */
export async function installBusybox(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await copyFile(await busybox(), join(folder, 'busybox'))
  for (const applet of (await runOk([join(folder, 'busybox'), '--list'])).trim().split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', join(folder, applet))
  }
}

/** Packs a root file system as an initrd. */
export async function packInitrd(root: string, target: string): Promise<void> {
  const names = await runOk(['find', '.', '-print0'], { cwd: root })
  await runOk(['cpio', '--null', '--create', '--quiet', '--format=newc', '--owner=0:0', `--file=${target}`], { cwd: root, input: names })
}
