// Which elements libvirt's documents hold several of below one parent, beside the lists that merge by entry (docs: formatdomain, formatnetwork).

/** `parent/name`. Of any other element libvirt reads one, and which of two it reads is a matter of its version. */
const REPEATED = new Set([
  'domain/sysinfo', 'sysinfo/baseBoard', 'sysinfo/entry', 'bios/entry', 'system/entry', 'chassis/entry', 'baseBoard/entry', 'oemStrings/entry',
  'os/boot', 'os/initarg', 'os/initenv', 'acpi/table', 'firmware/feature', 'idmap/uid', 'idmap/gid',
  'cpu/feature', 'cpu/cache', 'numa/cell', 'cell/cache', 'distances/sibling', 'interconnects/latency', 'interconnects/bandwidth', 'clock/timer',
  'cputune/vcpupin', 'cputune/iothreadpin', 'cputune/vcpusched', 'cputune/iothreadsched', 'cputune/cachetune', 'cputune/memorytune', 'cachetune/cache', 'cachetune/monitor', 'memorytune/node',
  'numatune/memnode', 'blkiotune/device', 'hugepages/page', 'vcpus/vcpu', 'iothreadids/iothread', 'throttlegroups/throttlegroup', 'perf/event', 'keywrap/cipher',
  'devices/video', 'devices/audio', 'devices/hub', 'devices/crypto', 'devices/iommu', 'devices/pstore',
  'source/host', 'slices/slice', 'cookies/cookie', 'initiator/iqn', 'iothreads/iothread', 'iothread/queue', 'throttlefilters/throttlefilter',
  // A UDP port has an end to listen on and one to send to.
  'serial/source', 'parallel/source', 'console/source', 'channel/source', 'redirdev/source', 'backend/source',
  'interface/ip', 'interface/route', 'interface/portForward', 'portForward/range', 'filterref/parameter', 'vlan/tag',
  'graphics/listen', 'graphics/channel', 'sound/codec', 'redirfilter/usbdev', 'smartcard/certificate',
])

export const isRepeated = (parent: string, name: string): boolean => REPEATED.has(`${parent}/${name}`)
