// What the API server refuses, and the whole of what it says.

/** Reason, kind, spec in YAML, complaints. */
export type Row = [reason: string, kind: string, spec: string, ...complaints: string[]]

const quantity = 'is not a quantity: write a number of bytes, or one with a unit such as 512Mi or 2Gi'
const mac = 'is not a unicast MAC address: write six pairs such as 52:54:00:aa:bb:01, in quotes'
const ip = 'is not an IP address: write one such as 192.168.150.10 or fd00:150::10'
const dns = 'is not a DNS label: use lower case letters, digits and dashes, such as root or data-1'

/** Server-side apply of a new object. */
export const refused: Row[] = [
  // Fields and types.
  ['an unknown field', 'VirtualDomain', '{memory: 1Gi, memori: 1}', '.spec.memori: field not declared in schema'],
  ['a field of a later release', 'VirtualDomain', '{memory: 1Gi, ioThreads: 1}', '.spec.ioThreads: field not declared in schema'],
  ['an unknown field of an entry', 'VirtualDomain', '{memory: 1Gi, disks: [{name: a, file: {path: /x}, iotune: {}}]}', '.spec.disks[name="a"].iotune: field not declared in schema'],
  ['settings of what has none', 'VirtualDomain', '{memory: 1Gi, os: {firmware: {bios: {x: 1}}}}', 'spec.os.firmware.bios: Too many: 1: must have at most 0 items'],
  ['one disk name twice', 'VirtualDomain', '{memory: 1Gi, disks: [{name: a, file: {path: /x}}, {name: a, file: {path: /y}}]}', '.spec.disks: duplicate entries for key [name="a"]'],
  ['off without quotes', 'VirtualDomain', '{memory: 1Gi, title: off}', '.spec.title: expected string, got &value.valueUnstructured{Value:false}'],
  ['null where {} is meant', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1/24, dhcp: }}', 'spec.ipv4.dhcp: Invalid value: "null": spec.ipv4.dhcp in body must be of type object: "null"'],
  ['a word that is none of the enumeration', 'VirtualDomain', '{memory: 1Gi, powerState: Started}', 'spec.powerState: Unsupported value: "Started": supported values: "Running", "Stopped", "Paused", "Unmanaged"'],

  // Quantities and durations.
  ['a domain without memory', 'VirtualDomain', '{}', 'spec.memory: Required value: is needed: how much memory the guest has, such as 2Gi'],
  ['a wrong unit', 'VirtualDomain', '{memory: 1GB}', `spec.memory: Invalid value: "1GB": 1GB ${quantity}`],
  ['memory without a unit', 'VirtualDomain', '{memory: 512}', 'spec.memory: Invalid value: 512: 512 means 512 bytes, and the least is 1Mi: did you mean 512Mi?'],
  ['memory of less than a byte', 'VirtualDomain', '{memory: 100m}', 'spec.memory: Invalid value: "100m": 100m is less than the least, 1Mi'],
  ['negative memory', 'VirtualDomain', '{memory: -1Gi}', 'spec.memory: Invalid value: "-1Gi": -1Gi is less than the least, 1Mi'],
  ['a duration without a unit', 'VirtualDomain', '{memory: 1Gi, shutdown: {gracePeriod: "90"}}', 'spec.shutdown.gracePeriod: Invalid value: "90": 90 is not a duration: write 90s, 5m or 1h30m'],

  // Domains.
  ['memory above its maximum', 'VirtualDomain', '{memory: 1Gi, maxMemory: 512Mi}', 'spec: Invalid value: memory 1Gi is above maxMemory 512Mi'],
  ['CPUs above their maximum', 'VirtualDomain', '{memory: 1Gi, cpus: 4, maxCpus: 2}', 'spec: Invalid value: cpus 4 is above maxCpus 2'],
  ['a topology of another product', 'VirtualDomain', '{memory: 1Gi, cpus: 2, maxCpus: 8, cpu: {topology: {cores: 4}}}', 'spec.cpu: Invalid value: the product of cpu.topology must be 8, the number of CPUs at most'],
  ['a CPU model without its mode', 'VirtualDomain', '{memory: 1Gi, cpu: {model: qemu64}}', 'spec.cpu: Invalid value: model needs mode: custom'],
  ['mode custom without a model', 'VirtualDomain', '{memory: 1Gi, cpu: {mode: custom}}', 'spec.cpu: Invalid value: mode custom needs model, the name of a CPU model'],
  ['a firmware of no kind', 'VirtualDomain', '{memory: 1Gi, os: {firmware: {}}}', 'spec.os.firmware: Invalid value: firmware needs exactly one of bios, uefi; one without settings is written {}'],
  ['a kernel from nowhere', 'VirtualDomain', '{memory: 1Gi, os: {kernelBoot: {kernel: {}}}}', 'spec.os.kernelBoot.kernel: Invalid value: the file needs exactly one of path, volumeRef'],
  ['a disk of no source', 'VirtualDomain', '{memory: 1Gi, disks: [{name: a}]}', 'spec.disks[0]: Invalid value: disk a needs exactly one of volumeRef, file'],
  ['a disk of two sources', 'VirtualDomain', '{memory: 1Gi, disks: [{name: a, file: {path: /x}, volumeRef: {name: b}}]}', 'spec.disks[0]: Invalid value: disk a needs exactly one of volumeRef, file'],
  ['a cdrom of two sources', 'VirtualDomain', '{memory: 1Gi, disks: [{name: a, device: cdrom, file: {path: /x}, volumeRef: {name: b}}]}', 'spec.disks[0]: Invalid value: disk a needs exactly one of volumeRef, file, or none for an empty tray'],
  ['a disk name that is no label', 'VirtualDomain', '{memory: 1Gi, disks: [{name: A_b, file: {path: /x}}]}', `spec.disks[0].name: Invalid value: "A_b": A_b ${dns}`],
  ['too short a MAC', 'VirtualDomain', '{memory: 1Gi, interfaces: [{name: a, bridge: {name: br0}, mac: "52:54:00:aa:bb"}]}', `spec.interfaces[0].mac: Invalid value: "52:54:00:aa:bb": 52:54:00:aa:bb ${mac}`],
  ['a multicast MAC', 'VirtualDomain', '{memory: 1Gi, interfaces: [{name: a, bridge: {name: br0}, mac: "53:54:00:aa:bb:01"}]}', `spec.interfaces[0].mac: Invalid value: "53:54:00:aa:bb:01": 53:54:00:aa:bb:01 ${mac}`],
  ['an interface plugged into nothing', 'VirtualDomain', '{memory: 1Gi, interfaces: [{name: a}]}', 'spec.interfaces[0]: Invalid value: interface a needs exactly one of networkRef, bridge'],
  ['a display of no kind', 'VirtualDomain', '{memory: 1Gi, graphics: [{name: a}]}', 'spec.graphics[0]: Invalid value: a display needs exactly one of vnc, spice; one without settings is written {}'],
  ['a display that listens on a name', 'VirtualDomain', '{memory: 1Gi, graphics: [{name: a, vnc: {listen: localhost}}]}', `spec.graphics[0].vnc.listen: Invalid value: "localhost": localhost ${ip}`],
  ['a serial port of two kinds', 'VirtualDomain', '{memory: 1Gi, serials: [{name: a, pty: {}, file: {path: /x}}]}', 'spec.serials[0]: Invalid value: a serial port needs exactly one of pty, unix, tcp, file; one without settings is written {}'],
  ['user beside userData', 'VirtualDomain', '{memory: 1Gi, cloudInit: {user: {name: a}, userData: {inline: x}}}', 'spec.cloudInit: Invalid value: user and userData exclude each other: put the account into userData'],
  ['user data from nowhere', 'VirtualDomain', '{memory: 1Gi, cloudInit: {userData: {}}}', 'spec.cloudInit.userData: Invalid value: the text needs exactly one of inline, secretRef, configMapRef'],
  ['a name with a slash', 'VirtualDomain', '{memory: 1Gi, name: a/b}', 'spec.name: Invalid value: "a/b": must not hold a slash or a line break'],
  ['a bad UUID', 'VirtualDomain', '{memory: 1Gi, uuid: x}', 'spec.uuid: Invalid value: "x": is not a UUID: write 32 hexadecimal digits with dashes, such as 6f1c2d3e-0000-5000-8000-000000000001'],

  // Networks.
  ['an address without a prefix', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1}}', 'spec.ipv4.address: Invalid value: "192.168.150.1": 192.168.150.1 is not an IPv4 address with prefix: write one such as 192.168.150.1/24'],
  ['a number above 255', 'VirtualNetwork', '{ipv4: {address: 300.1.1.1/24}}', 'spec.ipv4.address: Invalid value: "300.1.1.1/24": 300.1.1.1/24 is not an IPv4 address with prefix: write one such as 192.168.150.1/24'],
  ['an address of the other family', 'VirtualNetwork', '{ipv6: {address: 10.0.0.1/8}}', 'spec.ipv6.address: Invalid value: "10.0.0.1/8": 10.0.0.1/8 is not an IPv6 address with prefix: write one such as fd00:150::1/64'],
  ['the subnet for the address in it', 'VirtualNetwork', '{ipv4: {address: 192.168.150.0/24}}', 'spec.ipv4.address: Invalid value: "192.168.150.0/24": 192.168.150.0/24 is the subnet, not the host\'s address in it: write one such as 192.168.150.1/24'],
  ['a DHCP range outside the subnet', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1/24, dhcp: {ranges: [{start: 192.168.151.10, end: 192.168.151.20}]}}}', 'spec.ipv4.dhcp.ranges: Invalid value: every DHCP range must lie inside the subnet of 192.168.150.1/24'],
  ['a DHCP range that ends outside', 'VirtualNetwork', '{ipv6: {address: "fd00:150::1/64", dhcp: {ranges: [{start: "fd00:150::10", end: "fd00:151::1"}]}}}', 'spec.ipv6.dhcp.ranges: Invalid value: every DHCP range must lie inside the subnet of fd00:150::1/64'],
  ['a DHCP range that is no address', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1/24, dhcp: {ranges: [{start: x, end: 192.168.150.20}]}}}', `spec.ipv4.dhcp.ranges[0].start: Invalid value: "x": x ${ip}`],
  ['a DHCP host outside the subnet', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1/24, dhcp: {hosts: [{name: w, hostname: w, ip: 192.168.151.10}]}}}', 'spec.ipv4.dhcp.hosts: Invalid value: the ip of every DHCP host must lie inside the subnet of 192.168.150.1/24'],
  ['a DHCP host that nothing tells', 'VirtualNetwork', '{ipv4: {address: 192.168.150.1/24, dhcp: {hosts: [{name: w, ip: 192.168.150.10}]}}}', 'spec.ipv4.dhcp.hosts[0]: Invalid value: needs mac or hostname: something has to tell which guest is meant'],
  ['an IPv6 DHCP host by MAC', 'VirtualNetwork', '{ipv6: {address: "fd00:150::1/64", dhcp: {hosts: [{name: w, mac: "52:54:00:aa:bb:01", ip: "fd00:150::2"}]}}}', 'spec.ipv6.dhcp.hosts: Invalid value: an IPv6 DHCP host is known by its hostname: leave mac out, libvirt refuses it'],
  ['mode bridge without a bridge', 'VirtualNetwork', '{forward: {mode: bridge}}', 'spec: Invalid value: forward.mode bridge needs bridge.name, a bridge that the host already has'],
  ['mode bridge with an address', 'VirtualNetwork', '{forward: {mode: bridge}, bridge: {name: br0}, ipv4: {address: 10.0.0.1/24}}', "spec: Invalid value: with forward.mode bridge the bridge is the host's own: leave ipv4, ipv6, domain, dns and mtu out"],
  ['nat of another mode', 'VirtualNetwork', '{forward: {mode: route, nat: {}}}', 'spec.forward: Invalid value: nat belongs to mode nat: set mode: nat, or leave nat out'],
  ['two default portgroups', 'VirtualNetwork', '{portgroups: [{name: a, default: true}, {name: b, default: true}]}', 'spec.portgroups: Invalid value: at most one portgroup may be the default'],

  // Volumes.
  ['a volume of no size', 'StorageVolume', '{poolRef: {name: p}}', 'spec.capacity: Required value: is needed: nothing else tells the size of an empty volume'],
  ['a volume of no pool', 'StorageVolume', '{capacity: 1Gi}', 'spec.poolRef: Required value'],
  ['too small a volume', 'StorageVolume', '{poolRef: {name: p}, capacity: 1Ki}', 'spec.capacity: Invalid value: "1Ki": 1Ki is less than the least, 4Ki'],
  ['a source of no kind', 'StorageVolume', '{poolRef: {name: p}, capacity: 1Gi, source: {}}', 'spec.source: Invalid value: source needs exactly one of empty, clone, url; one without settings is written {}'],
  ['a thin clone with a source', 'StorageVolume', '{poolRef: {name: p}, backingStore: {volumeRef: {name: b}}, source: {clone: {volumeRef: {name: b}}}}', 'spec: Invalid value: backingStore and source exclude each other: a thin clone takes its content from the volume below; for a full copy use source.clone alone'],
  ['a URL without a checksum', 'StorageVolume', '{poolRef: {name: p}, source: {url: {url: "https://x/y"}}}', 'spec.source.url: Invalid value: needs a checksum (sha256: or sha512: and the digits), or verification: None to take whatever comes'],
  ['an unknown checksum', 'StorageVolume', '{poolRef: {name: p}, source: {url: {url: "https://x/y", checksum: "md5:1"}}}', 'spec.source.url.checksum: Invalid value: "md5:1": is not a checksum: write sha256: and 64, or sha512: and 128 lower case hexadecimal digits'],
  ['a file URL', 'StorageVolume', '{poolRef: {name: p}, source: {url: {url: "file:///etc/shadow", verification: None}}}', 'spec.source.url.url: Invalid value: "file:///etc/shadow": file:///etc/shadow is not an http or https URL'],
  ['a password in a URL, which is not printed', 'StorageVolume', '{poolRef: {name: p}, source: {url: {url: "https://me:secret@x/y", verification: None}}}', 'spec.source.url.url: Forbidden: must not hold a password: anybody who may read the object would read it'],

  // Pools.
  ['a pool of no type', 'StoragePool', '{}', 'spec: Invalid value: needs exactly one of dir, netfs, logical, iscsi, zfs, rbd'],
  ['a pool of two types', 'StoragePool', '{dir: {path: /x}, zfs: {name: x}}', 'spec: Invalid value: needs exactly one of dir, netfs, logical, iscsi, zfs, rbd'],
  ['a relative path', 'StoragePool', '{dir: {path: x}}', 'spec.dir.path: Invalid value: "x": x must be an absolute path on the host: it has to begin with /'],
  ['what pools cannot do', 'StoragePool', '{dir: {path: /x}, updatePolicy: {recreate: Always}}', 'spec.updatePolicy.recreate: Unsupported value: "Always": supported values: "Never", "WhenUnused"'],

  // Hypervisors.
  ['a hypervisor of no URI', 'Hypervisor', '{}', 'spec.uri: Required value'],
  ['what is no URI', 'Hypervisor', '{uri: qemu}', 'spec.uri: Invalid value: "qemu": qemu is not a libvirt URI: write one such as qemu:///system'],
  ['a password in the URI that a gateway opens', 'Hypervisor', '{uri: "esx+unix:///?name=esx%3A%2F%2Fme%3Asecret%40h%2F"}', 'spec.uri: Forbidden: must not hold a password: anybody who may read the object would read it'],
  ['an unknown SASL mechanism', 'Hypervisor', '{uri: "qemu+tls://h/system", auth: {sasl: {secretRef: {name: a}, mechanism: GSSAPI}}}', 'spec.auth.sasl.mechanism: Unsupported value: "GSSAPI": supported values: "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"'],
  ['a password in a URI, which is not printed', 'Hypervisor', '{uri: "qemu+tls://me:secret@h/system"}', 'spec.uri: Forbidden: must not hold a password: anybody who may read the object would read it'],
  ['a pinned host by no UUID', 'Hypervisor', '{uri: "test:///default", hostUUID: "1"}', 'spec.hostUUID: Invalid value: "1": is not a UUID: write 32 hexadecimal digits with dashes, such as 6f1c2d3e-0000-5000-8000-000000000001'],
  ['a relative host path', 'Hypervisor', '{uri: "test:///default", policy: {hostPaths: [x]}}', 'spec.policy.hostPaths[0]: Invalid value: "x": x must be an absolute path on the host: it has to begin with /, or on ESX with the name of a datastore in brackets'],
  ['a URL where a host is meant', 'Hypervisor', '{uri: "test:///default", policy: {networkHosts: ["nfs://nas/x"]}}', 'spec.policy.networkHosts[0]: Invalid value: "nfs://nas/x": nfs://nas/x is not a host: write a name or an address, and :PORT behind it for one port only'],
]

/** Client-side apply with --validate=strict, where it says something else. */
export const refusedByClient: Row[] = [
  ['an unknown field', 'VirtualDomain', '{memory: 1Gi, memori: 1}', 'strict decoding error: unknown field "spec.memori"'],
  ['one interface name twice', 'VirtualDomain', '{memory: 1Gi, interfaces: [{name: a, bridge: {name: br0}}, {name: a, bridge: {name: br1}}]}', 'spec.interfaces[1]: Duplicate value: {"name":"a"}'],
  ['null for the only member', 'VirtualDomain', '{memory: 1Gi, os: {firmware: {uefi: }}}', 'spec.os.firmware: Invalid value: firmware needs exactly one of bios, uefi; one without settings is written {}'],
]

/** Changes of an object whose status says `bound`. */
export interface Change { reason: string; kind: string; spec: string; status: string; change: string; complaints: string[] }

const binding = '{hypervisor: kvm7, name: web, uuid: 6f1c2d3e-0000-5000-8000-000000000001, origin: Created}'
const bound = `{observedGeneration: 1, binding: ${binding}}`
const volume = '{observedGeneration: 1, capacity: 20Gi, binding: {hypervisor: kvm7, name: web, pool: p, format: qcow2, origin: Created}}'
const host = "moving to another host is not supported; leave it out or put it back, and make a new object for the other host"
const grown = 'spec.capacity: Invalid value: cannot shrink: a volume only grows; make a new, smaller volume and copy the content from inside a guest'

export const changes: Change[] = [
  { reason: 'another hypervisor', kind: 'VirtualDomain', spec: '{memory: 1Gi}', status: bound, change: '{memory: 1Gi, hypervisorRef: {name: kvm8}}', complaints: [`spec.hypervisorRef: Invalid value: is bound to kvm7: ${host}`] },
  { reason: 'another name', kind: 'VirtualNetwork', spec: '{}', status: bound, change: '{name: other}', complaints: ['spec.name: Invalid value: is bound to web: the name on the host stays for life; leave it out or put it back, and make a new object for the other name'] },
  { reason: 'another UUID', kind: 'StoragePool', spec: '{dir: {path: /x}}', status: bound, change: '{dir: {path: /x}, uuid: 6f1c2d3e-0000-5000-8000-000000000002}', complaints: ['spec.uuid: Invalid value: is bound to 6f1c2d3e-0000-5000-8000-000000000001: the UUID on the host stays for life; leave it out or put it back, and make a new object for the other UUID'] },
  { reason: 'what is bound, written out', kind: 'VirtualDomain', spec: '{memory: 1Gi}', status: bound, change: '{memory: 1Gi, hypervisorRef: {name: kvm7}, name: web, uuid: 6F1C2D3E-0000-5000-8000-000000000001}', complaints: [] },
  { reason: 'anything before the binding', kind: 'VirtualDomain', spec: '{memory: 1Gi, hypervisorRef: {name: typo}, name: typo}', status: '{observedGeneration: 1}', change: '{memory: 1Gi, hypervisorRef: {name: kvm7}, name: web}', complaints: [] },
  { reason: 'another type of pool', kind: 'StoragePool', spec: '{dir: {path: /x}}', status: bound, change: '{dir: , zfs: {name: x}}', complaints: ['spec: Invalid value: the type of the pool is bound and cannot change: make a new pool, and clone the volumes into it', 'spec.dir.path: Invalid value: is bound and cannot change: make a new pool with the other path, and clone the volumes into it'] },
  { reason: 'another path of a pool', kind: 'StoragePool', spec: '{dir: {path: /x}}', status: bound, change: '{dir: {path: /y}}', complaints: ['spec.dir.path: Invalid value: is bound and cannot change: make a new pool with the other path, and clone the volumes into it'] },
  { reason: 'another path before the binding', kind: 'StoragePool', spec: '{dir: {path: /x}}', status: '{observedGeneration: 1}', change: '{dir: {path: /y}}', complaints: [] },
  { reason: 'other contents of another member', kind: 'StoragePool', spec: '{zfs: {name: a}}', status: bound, change: '{zfs: {name: b}}', complaints: [] },
  { reason: 'a larger volume', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: volume, change: '{capacity: 30Gi}', complaints: [] },
  { reason: 'a smaller volume', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: volume, change: '{capacity: 10Gi}', complaints: [grown] },
  { reason: 'a smaller volume whose size the image told', kind: 'StorageVolume', spec: '{poolRef: {name: p}, backingStore: {volumeRef: {name: b}}}', status: volume, change: '{capacity: 10Gi}', complaints: [grown] },
  { reason: 'a grow that failed, taken back', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 90Gi}', status: volume, change: '{capacity: 20Gi}', complaints: [] },
  { reason: 'a grow that failed, taken back too far', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 90Gi}', status: volume, change: '{capacity: 19Gi}', complaints: [grown] },
  { reason: 'a smaller volume before the binding', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: '{observedGeneration: 1}', change: '{capacity: 10Gi}', complaints: [] },
  { reason: 'another format', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: volume, change: '{format: raw}', complaints: ['spec.format: Invalid value: is bound to qcow2: the format of a volume stays for life; make a new volume of the other format and copy the content'] },
  { reason: 'another pool', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: volume, change: '{poolRef: {name: q}}', complaints: ['spec.poolRef: Invalid value: is bound and cannot change: make a new volume in the other pool with source.clone'] },
  { reason: 'another source', kind: 'StorageVolume', spec: '{poolRef: {name: p}, source: {url: {url: "http://x/a", verification: None}}}', status: volume, change: '{source: {url: {url: "http://x/b"}}}', complaints: ['spec.source: Invalid value: is bound and cannot change: the content is written once; make a new volume with the other source'] },
  { reason: 'a source taken away', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi, source: {clone: {volumeRef: {name: b}}}}', status: volume, change: '{source: }', complaints: ['spec.source: Invalid value: is bound and cannot change: the content is written once; make a new volume with the other source'] },
  { reason: 'a backing store added', kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 20Gi}', status: volume, change: '{backingStore: {volumeRef: {name: b}}}', complaints: ['spec.backingStore: Invalid value: is bound and cannot change: make a new volume with the other backingStore'] },
]
