// Every name that vireo writes into the API or onto a host, in one place.

export const group = 'vireo.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`
/** `kubectl get virt` lists all five kinds. */
export const category = 'virt'

/** On every object from before the first call that creates something until absence is verified. */
export const finalizer = 'vireo.dev/finalizer'

/** Field managers of server-side apply: one for finalizer and intent, one for the status. */
export const fieldManagers = { object: 'vireo', status: 'vireo-status' } as const

export const annotations = {
  /** "true": vireo looks, writes status, and changes nothing. */
  paused: 'vireo.dev/paused',
  /** A token; a new one asks for a refresh from the host now. */
  reconcile: 'vireo.dev/reconcile',
  /** On a Hypervisor: the host UUID that may from now on answer behind the URI. */
  acceptHost: 'vireo.dev/accept-host',
  /** "true": forget a Terminating object whose host is gone for good. Never touches the host. */
  release: 'vireo.dev/release',
  /** Written by vireo before it creates a volume: POOL/NAME. */
  intent: 'vireo.dev/intent',
} as const

/** Verbs: the annotation's value is a token, handled once when it differs from the one in status.actions. */
export const verbAnnotations = {
  restart: 'vireo.dev/restart',
  reset: 'vireo.dev/reset',
  'power-off': 'vireo.dev/power-off',
} as const
export type Verb = keyof typeof verbAnnotations

/** Namespace of `<vireo:owner>` and `<vireo:applied>` in the `<metadata>` of domains and networks. */
export const xmlNamespace = 'https://vireo.dev/xmlns/1'
export const xmlPrefix = 'vireo'

/** What vireo gives a user alias: entries of the spec's lists, devices of the overlay, and those that it adds by itself. */
const aliasKinds = ['disk', 'interface', 'graphics', 'serial', 'seed', 'xml', 'channel', 'rng', 'controller'] as const
export type AliasKind = (typeof aliasKinds)[number]
/** User alias of a device on the host, from the entry's list and name: `ua-disk-root`. */
export const alias = (kind: AliasKind, name: string): string => `ua-${kind}-${name}`
/** False for the user aliases of other tools: `ua-` is libvirt's prefix, and everybody's. */
export const isOurAlias = (label: string): boolean => aliasKinds.some(kind => label.startsWith(alias(kind, '')))
