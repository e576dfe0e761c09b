// Translates paths of documents into paths of the spec, and says what a running guest can take of each.

const FIXED: [RegExp, string][] = [
  [/^memory#/, 'maxMemory'],
  [/^currentMemory#/, 'memory'],
  [/^vcpu#/, 'maxCpus'],
  [/^vcpu@current/, 'cpus'],
  [/^title(#|$)/, 'title'],
  [/^description(#|$)/, 'description'],
  [/^@type/, 'type'],
  [/^os\/type@machine/, 'os.machine'],
  [/^os\/type@arch/, 'os.arch'],
  [/^os(@firmware|\/firmware|\/loader|\/nvram)/, 'os.firmware'],
  [/^os\/bootmenu/, 'os.bootMenu'],
  [/^os\/(kernel|initrd|cmdline)/, 'os.kernelBoot'],
  [/^os\/boot$/, 'disks[].bootOrder'],
  [/^cpu\/topology/, 'cpu.topology'],
  [/^cpu\/feature/, 'cpu.features'],
  [/^cpu/, 'cpu.mode'],
  [/^on_poweroff/, 'lifecycle.onPoweroff'],
  [/^on_reboot/, 'lifecycle.onReboot'],
  [/^on_crash/, 'lifecycle.onCrash'],
  [/^devices\/channel\[ua-channel-agent\]/, 'defaultDevices.guestAgent'],
  [/^devices\/rng\[ua-rng-default\]/, 'defaultDevices.rng'],
  [/^devices\/serial\[ua-serial-default\]/, 'defaultDevices.serialConsole'],
  [/^devices\/memballoon/, 'defaultDevices.memballoon'],
  [/^devices\/disk\[ua-seed-cloudinit\]/, 'cloudInit'],
  // Rendered for the machine's ports and for the seed; of any other controller the overlay speaks.
  [/^devices\/controller\[(pci|ua-controller-hotplug\d+)\]/, 'os.machine'],
  [/^devices\/controller\[scsi\]/, 'cloudInit'],
  [/^devices\/controller\[ua-controller-hotplug/, 'os.machine'],
  [/^devices\/video/, 'video'],
  [/^devices\/tpm/, 'tpm'],
]

/** The elements that say what the host does when a guest ends, in the order of virDomainLifecycle, with their fields. */
export const LIFECYCLE = [['on_poweroff', 'lifecycle.onPoweroff'], ['on_reboot', 'lifecycle.onReboot'], ['on_crash', 'lifecycle.onCrash']] as const

const LISTS: Record<string, string> = { disk: 'disks', interface: 'interfaces', graphics: 'graphics', serial: 'serials' }

const FIELDS: Record<string, [RegExp, string][]> = {
  disk: [[/^(@type|\/source|\/backingStore|\/driver@type)/, ''], [/^\/target@bus/, '.bus'], [/^\/target@dev/, '.target'], [/^\/driver@cache/, '.cache'], [/^\/driver@io/, '.io'], [/^\/driver@discard/, '.discard'], [/^\/serial/, '.serial'], [/^\/boot/, '.bootOrder'], [/^\/readonly/, '.readOnly'], [/^\/shareable/, '.shareable'], [/^@device/, '.device']],
  interface: [[/^\/mac/, '.mac'], [/^\/model/, '.model'], [/^\/link/, '.linkState'], [/^\/mtu/, '.mtu'], [/^\/boot/, '.bootOrder'], [/^\/source@(network|portgroup)/, '.networkRef'], [/^\/source@bridge/, '.bridge'], [/^(@type|\/source)/, '']],
  graphics: [[/^@passwd/, '.passwordSecretRef'], [/^(@listen|\/listen)/, '.listen']],
  serial: [],
}

/** `devices/interface[ua-interface-lan]/link@state` → `interfaces[lan].linkState`. What no field holds is the overlay's. */
export function specPath(path: string): string {
  for (const [pattern, field] of FIXED) if (pattern.test(path)) return field
  const entry = /^devices\/(disk|interface|graphics|serial)\[([^\]]*)\](.*)$/.exec(path)
  if (entry === null) return `xml(${path})`
  const [, kind, label, rest] = entry as unknown as [string, string, string, string]
  const name = label.startsWith(`ua-${kind}-`) ? label.slice(`ua-${kind}-`.length) : label
  const field = FIELDS[kind]!.find(([pattern]) => pattern.test(rest))?.[1]
  return `${LISTS[kind]}[${name}]${rest === '' ? '' : field ?? '.xml'}`
}

/** True for what `live.ts` brings to a running guest, so that it is never staged. */
export function isLive(path: string): boolean {
  if (/^(title|description|on_poweroff|on_reboot|on_crash)(#|$)/.test(path)) return true
  if (/^devices\/(disk|interface|rng|channel)\[[^\]]*\]$/.test(path)) return true
  if (/^devices\/interface\[[^\]]*\]\/(link|source)/.test(path)) return true
  return /^devices\/interface\[[^\]]*\]@type/.test(path)
}
