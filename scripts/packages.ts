// Knows the Debian packages that the tests need, and installs them where it may.
import { run } from './run.ts'

const needed: Record<string, string> = {
  'libvirt-daemon-system': 'the daemon under test, with its networks and network filters',
  'libvirt-daemon-driver-qemu': 'its QEMU driver',
  'libvirt-daemon-driver-lxc': 'its LXC driver',
  'libvirt-daemon-driver-vbox': 'its VirtualBox driver, which says what it lacks',
  'libvirt-clients': 'virsh, to look at a host independently',
  'qemu-system-x86': 'guests',
  'qemu-utils': 'qemu-img',
  'ipxe-qemu': 'network boot, and the option ROMs that QEMU wants for each NIC',
  'ovmf': 'UEFI firmware',
  'swtpm': 'virtual TPMs',
  'swtpm-tools': 'setting up virtual TPMs',
  'dnsmasq-base': 'DHCP and DNS of virtual networks',
  'iptables': 'NAT of virtual networks',
  'iproute2': 'ip',
  'tini': 'the init of a private host',
  'busybox-static': 'the guest’s programs',
  'kmod': 'finding the guest’s kernel modules',
  'cpio': 'packing the guest’s initrd',
  'syslinux': 'the guest’s boot loader',
  'mtools': 'writing the guest’s disk without mounting it',
  'strace': 'seeing that a write is on the disk before it is answered',
  'xorriso': 'making and reading cloud-init media',
  'python3-libvirt': 'libvirt’s own client, beside which bench/rpc runs',
  'openssh-server': 'the SSH server of a private host',
  'openssh-client': 'the program that carries connections over SSH',
  'netcat-openbsd': 'what such a connection falls back to on hosts without libvirt’s helper',
  'socat': 'ways into a private host, and the stand-in for any program that carries a connection',
  'sasl2-bin': 'users and passwords of a daemon that asks for SASL',
  'libsasl2-modules': 'its SCRAM and PLAIN mechanisms',
  'mmdebstrap': 'the Xen host’s root file system',
  'e2fsprogs': 'the Xen host’s disk',
}

/** Installs what is missing, as root; throws a sentence that says what to do where it cannot. */
export async function ensurePackages(say: (line: string) => void): Promise<void> {
  const missing = await missingPackages()
  if (missing.length === 0) return
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0) throw new Error(`these Debian packages are missing; install them with: sudo ${command}`)
  say(`installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await apt(['update', '-qq'], env)
  await apt(['install', '-y', '-qq', '--no-install-recommends', ...missing], env)
}

async function missingPackages(): Promise<string[]> {
  const names = Object.keys(needed)
  const asked = await run(['dpkg-query', '--show', '--showformat=${db:Status-Abbrev} ${Package}\n', ...names]).catch(() => {
    throw new Error(`the tests run on Debian and Ubuntu; elsewhere, provide what these packages hold: ${names.join(', ')}`)
  })
  const installed = new Set([...asked.stdout.matchAll(/^ii\s+(\S+)$/gm)].map(match => match[1]))
  return names.filter(name => !installed.has(name))
}

async function apt(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const result = await run(['apt-get', ...args], { env })
  if (result.code !== 0) throw new Error(`apt-get ${args[0]} failed: ${(result.stderr || result.stdout).trim()}`)
}
