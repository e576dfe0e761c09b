// Hypervisor: one libvirt connection, and what the namespaces may do with the host behind it.

import type { Static } from 'typebox'
import { conditions, labelSelector, managementPolicy, observedGeneration, unseen, uuid } from './common.ts'
import { columns, type Kind } from './kind.ts'
import type { KubeObject } from './meta.ts'
import { group, version } from './names.ts'
import { about, bytes, choice, duration, flag, hostFolder, integer, mapOf, noPassword, object, optional, type Rule, setOf, text } from './schema.ts'

/** What vireo uses where spec.connection does not say. */
export const connectionDefaults = {
  keepAliveInterval: '5s', keepAliveCount: 3, callTimeout: '30s', pollInterval: '30s', maxConnections: 2, plaintext: 'Forbidden',
} as const
const usual = connectionDefaults

/** What the API server fills in where spec.policy does not say: every namespace, the folder of vireo, nothing else. */
export const policyDefaults = {
  namespaceSelector: {}, hostPaths: ['/var/lib/vireo'], rawXML: 'Forbidden', foreignObjects: 'Forbidden',
} as const

const connection = object({
  keepAliveInterval: optional(duration(about('Silence after which the host is asked whether it is still there.', usual.keepAliveInterval))),
  keepAliveCount: optional(integer(1, 100, about('Unanswered questions after which the connection counts as broken.', String(usual.keepAliveCount)))),
  callTimeout: optional(duration(about('How long vireo waits for the answer to one call.', usual.callTimeout))),
  pollInterval: optional(duration(about('How often a driver without events is read.', usual.pollInterval))),
  maxConnections: optional(integer(1, 64, about('Connections for streams (uploads, consoles) beside the one that carries all calls.', String(usual.maxConnections)))),
  plaintext: optional(choice(['Forbidden', 'Allowed'], about('Whether a connection over the network may go without encryption.', usual.plaintext))),
}, about('Settings of the connection.', 'those of its fields', 'live', 'vireo reconnects.'))

const plainHost: Rule = {
  rule: "!self.contains('/') && !self.contains(' ')",
  message: 'is not a host: write a name or an address, and :PORT behind it for one port only',
  messageExpression: "self + ' is not a host: write a name or an address, and :PORT behind it for one port only'",
}

const secretRef = (keys: string) => object({
  name: text(253, about('Name of the Secret. It lies in the namespace of the controller: no other is read.')),
}, about(`The Secret, with the keys ${keys}.`, undefined, 'live', 'A change of it reconnects.'), { atomic: true })

const auth = object({
  tls: optional(object({
    secretRef: secretRef('ca.crt (who vouches for the host), tls.crt and tls.key (of this side) and ca.crl (what is revoked), all in PEM and each where it is needed'),
  }, about('Certificates for the transport tls, in place of the files of the controller.', "libvirt's files on the controller's machine", 'live', 'vireo reconnects.'))),
  ssh: optional(object({
    secretRef: secretRef('ssh-privatekey (without a passphrase) and known_hosts, each where it is needed'),
  }, about('Key and known hosts for the transport ssh, in place of those of the user that the controller runs as.', "the files and the agent of the controller's user", 'live', 'vireo reconnects.'))),
  sasl: optional(object({
    secretRef: secretRef('username and password'),
    mechanism: optional(choice(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'], about('The only mechanism to use. PLAIN goes over TLS only.', 'the strongest that the host offers', 'live', 'vireo reconnects.'))),
  }, about('User and password for a daemon that asks for SASL.', 'none', 'live', 'vireo reconnects.'))),
}, about('What the connection proves itself with; several may apply together.', "what the controller's machine has", 'live', 'vireo reconnects.'))

const policy = object({
  namespaceSelector: optional(labelSelector('Namespaces whose objects may live on this host; {} selects all.', '{}', { default: policyDefaults.namespaceSelector })),
  hostPaths: optional(setOf(hostFolder(about('A folder on the host, or a datastore of ESX in brackets.')), 64,
    about('Folders on the host below which pools, disk files, kernels and logs may lie; [NAME] and [NAME] FOLDER on ESX. What lies in a pool is reached through its volumes alone; the rest is shared by all selected namespaces.', '[/var/lib/vireo]', 'policy'), { default: [...policyDefaults.hostPaths] })),
  rawXML: optional(choice(['Forbidden', 'Allowed'],
    about('Whether objects may carry XML overlays. An overlay reaches what libvirt knows and vireo knows to be harmless, within hostPaths, hostInterfaces and networkHosts.', 'Forbidden', 'policy'), { default: policyDefaults.rawXML })),
  foreignObjects: optional(choice(['Forbidden', 'Observe', 'Adopt'],
    about('What may be done with host objects that vireo did not create: nothing, look at them (ObserveOnly), or also take them over, and use images whose headers vireo did not write (file disks other than raw).', 'Forbidden', 'policy'), { default: policyDefaults.foreignObjects })),
  hostInterfaces: optional(setOf(text(15, about('Name of a bridge or network interface of the host.')), 64,
    about('Bridges and network interfaces of the host that domains and networks may name; lo also opens user-mode networking, in which a guest talks as the host itself.', 'none', 'policy'))),
  networkHosts: optional(setOf(text(300, about('HOST, or HOST:PORT for one port only: a name or an address as it is written where it is used, an IPv6 address before a port in brackets.'), { rules: [plainHost] }), 64,
    about('Hosts on the network that the hypervisor may be made to talk to, or addresses of its own to listen on: servers of netfs, iscsi and rbd pools, of network disks in XML overlays, and the ends of TCP and UDP serial ports.', 'none', 'policy'))),
}, about('What every selected namespace may use of the host. Checked right before each call; what is absent is closed.', 'all namespaces, host paths below /var/lib/vireo, nothing else', 'policy'),
{ default: {} })

const spec = object({
  uri: text(1024, about("libvirt's connection URI, such as qemu:///system. It holds no password.", undefined, 'live', 'vireo reconnects; a URI that leads to another host UUID is HostChanged, and nothing is touched.'), {
    rules: [
      {
        rule: "self.matches('^[a-zA-Z][a-zA-Z0-9+.-]*:')",
        message: 'is not a libvirt URI: write one such as qemu:///system',
        messageExpression: "self + ' is not a libvirt URI: write one such as qemu:///system'",
      },
      noPassword,
      {
        ...noPassword,
        // The URI that a gateway opens, as it is or encoded.
        rule: "!self.matches('[?&;]name=[^&;]*(/|%2[fF]){2}[^/@&;]*(:|%3[aA])[^/@&;]*(@|%40)')",
      },
    ],
  }),
  default: optional(flag(about('Takes the objects that name no Hypervisor. Of two defaults the older serves and the younger is Invalid; bound objects never move.', 'false', 'policy'))),
  hostUUID: optional(uuid('Pins the machine behind the URI: another host UUID is HostChanged, and nothing is touched.', 'learnt at the first contact and kept in status.hostUUID', 'policy')),
  managementPolicy: optional(managementPolicy),
  nameFormat: optional(choice(['Auto', 'Name', 'NamespaceName'],
    about('How objects without spec.name are called on the host. Name: metadata.name. NamespaceName: NAMESPACE.NAME, so that two namespaces may both say web. Auto: Name in the namespace default, NamespaceName elsewhere.', 'Auto', 'policy'),
    { default: 'Auto' })),
  auth: optional(auth),
  connection: optional(connection),
  policy: optional(policy),
}, about('What the connection is and who may use the host.'))

const status = object({
  observedGeneration,
  conditions,
  driver: optional(text(64, about('Name of the libvirt driver, such as QEMU.'))),
  hostname: optional(text(255, about('Name that the host gives itself.'))),
  hostUUID: optional(text(36, about('UUID of the host, learnt at the first contact. Another one behind the URI is HostChanged.'))),
  libvirtVersion: optional(text(64, about('Version of libvirt on the host.'))),
  hypervisorVersion: optional(text(64, about('Version of the hypervisor, such as that of QEMU.'))),
  cpus: optional(integer(0, 0x7fffffff, about('CPUs of the host.'))),
  memory: optional(bytes(about('Memory of the host, as a quantity of bytes.'))),
  domains: optional(integer(0, 0x7fffffff, about('Domains on the host, also those vireo did not create. Written at most every 10 s.'))),
  runningDomains: optional(integer(0, 0x7fffffff, about('Those of them that run. Written at most every 10 s.'))),
  guests: optional(mapOf('arch', object({
    arch: text(64, about('CPU architecture, such as x86_64.')),
    types: optional(setOf(text(64, about('A domain type.')), 64, about('Domain types, such as kvm.'))),
    machines: optional(setOf(text(128, about('A machine type.')), 256, about('Machine types, such as q35.'))),
  }, about('One architecture.')), 64, about('What guests the host can run.'))),
  unsupported: optional(setOf(text(128, about('A libvirt call.')), 64, about('Calls that the driver turned out not to have.'))),
}, about('What vireo found.'), { default: unseen })

export type HypervisorSpec = Static<typeof spec>
export type HypervisorStatus = Static<typeof status>
export type Hypervisor = KubeObject<HypervisorSpec, HypervisorStatus>
export type HypervisorPolicy = NonNullable<HypervisorSpec['policy']>
export type HypervisorAuth = NonNullable<HypervisorSpec['auth']>
export type HypervisorConnection = NonNullable<HypervisorSpec['connection']>

export const hypervisor: Kind = {
  resource: { group, version, plural: 'hypervisors', kind: 'Hypervisor', namespaced: false },
  singular: 'hypervisor',
  shortNames: ['hv'],
  description: 'A Hypervisor is one libvirt connection: where it leads, how it is kept, and what the namespaces may use of the host behind it.',
  spec,
  status,
  rules: [],
  columns: [
    columns.ready,
    columns.of('Driver', '.status.driver', 'The libvirt driver.'),
    columns.of('CPUs', '.status.cpus', 'CPUs of the host.', 'integer'),
    columns.of('Memory', '.status.memory', 'Memory of the host.'),
    columns.of('Domains', '.status.domains', 'Domains on the host.', 'integer'),
    columns.age,
    columns.wide('Default', '.spec.default', 'Whether it takes the objects that name no Hypervisor.', 'boolean'),
    columns.wide('URI', '.spec.uri', "libvirt's URI."),
    columns.wide('libvirt', '.status.libvirtVersion', 'Version of libvirt.'),
    columns.wide('Version', '.status.hypervisorVersion', 'Version of the hypervisor.'),
    columns.reason,
  ],
  selectableFields: [],
}
