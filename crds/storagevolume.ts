// StorageVolume: one disk image or block volume in a pool, and where its content comes from.

import type { Static } from 'typebox'
import {
  boundFormatRule, boundNameRule, exportTo, frozen, hostObjectSpec, hostObjectStatus, observedOnly, refAcross, unseen, volumeBinding,
} from './common.ts'
import { columns, type Kind } from './kind.ts'
import type { KubeObject } from './meta.ts'
import { group, version } from './names.ts'
import { about, bytes, choice, exactlyOne, noPassword, object, optional, presence, quantity, text, type Rule } from './schema.ts'

const url = object({
  url: text(2048, about('Where to fetch it, http or https.'), {
    rules: [
      {
        rule: "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",
        message: 'is not an http or https URL',
        messageExpression: "self + ' is not an http or https URL'",
      },
      noPassword,
    ],
  }),
  checksum: optional(text(136, about('Checksum of what is fetched: sha256: or sha512: and the hexadecimal digits.', 'none, which verification has to allow'), {
    rules: [{
      rule: "self.matches('^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$')",
      message: 'is not a checksum: write sha256: and 64, or sha512: and 128 lower case hexadecimal digits',
    }],
  })),
  verification: optional(choice(['Required', 'None'], about('Whether the content has to match a checksum.', 'Required'), { default: 'Required' })),
}, about('A disk image from a web server, streamed to the host. An image whose header names a backing or data file is refused.'), {
  rules: [{
    rule: "has(self.checksum) || (has(self.verification) && self.verification == 'None')",
    message: 'needs a checksum (sha256: or sha512: and the digits), or verification: None to take whatever comes',
  }],
})

const source = object({
  empty: optional(presence(about('No content.'))),
  clone: optional(object({
    volumeRef: refAcross('The volume to copy.', 'StorageVolume', undefined, 'bound'),
  }, about('A full copy of another volume.'))),
  url: optional(url),
}, about('Where the content comes from: exactly one of empty, clone, url. It is written once.', '{empty: {}}', 'bound'), {
  rules: [exactlyOne('source', ['empty', 'clone', 'url'], true)],
})

const spec = object({
  poolRef: refAcross('The pool that holds the volume; it also decides the Hypervisor.', 'StoragePool', undefined, 'bound'),
  ...hostObjectSpec,
  capacity: optional(quantity('4Ki', about('Size that the guest sees, in bytes as a quantity. Grows only; a running domain sees it grow. A grow that failed may be taken back to status.capacity.', 'that of source or backingStore', 'live'))),
  format: optional(text(64, about("libvirt's name of the format, such as qcow2 or raw. Under ObserveOnly it has to be said where something uses the volume: its content is never asked.", "the image's own with a url, that of the origin with a clone, else qcow2 in file pools and raw in block pools", 'bound'))),
  preallocation: optional(choice(['None', 'Metadata', 'Full'], about('How much of the capacity is taken from the pool at once.', 'None', 'bound'))),
  backingStore: optional(object({
    volumeRef: refAcross('The volume below.', 'StorageVolume', undefined, 'bound'),
  }, about('Makes this volume a thin clone: it holds only what differs from the volume below, which is not written any more. Excludes any source but empty.', 'none', 'bound'))),
  source: optional(source),
  export: exportTo('volume'),
}, about('What the volume is.'), {
  rules: [{
    rule: '!has(self.backingStore) || !has(self.source) || has(self.source.empty)',
    message: 'backingStore and source exclude each other: a thin clone takes its content from the volume below; for a full copy use source.clone alone',
  }],
})

const status = object({
  ...hostObjectStatus,
  binding: volumeBinding,
  type: optional(text(64, about("libvirt's type of the volume: file, block, network."))),
  path: optional(text(4096, about('Where it lies on the host.'))),
  key: optional(text(4096, about("libvirt's key, unique on the host."))),
  format: optional(text(64, about('Format of the content.'))),
  capacity: optional(bytes(about('Size that the guest sees.'))),
  allocation: optional(bytes(about('What it takes from the pool. Written after a move of 1 %, at most every 5 min.'))),
  progress: optional(text(8, about('Part of the content that is written, such as 42%. Only while content is written, at most every 5 s.'))),
  transferred: optional(bytes(about('Bytes written so far. Only while content is written, at most every 5 s.'))),
}, about('What vireo found.'), { default: unseen })

export type StorageVolumeSpec = Static<typeof spec>
export type StorageVolumeStatus = Static<typeof status>
export type StorageVolume = KubeObject<StorageVolumeSpec, StorageVolumeStatus>
export type VolumeSource = NonNullable<StorageVolumeSpec['source']>
export type UrlSource = NonNullable<VolumeSource['url']>

/** status.capacity is a plain string; of a string, string() has no bound for the cost of CEL. */
const capacityOf = (of: string) => of === 'oldSelf.status' ? `${of}.capacity` : `string(${of}.capacity)`
const parsed = (of: string) => `isQuantity(${capacityOf(of)})`
const fits = (of: string) => `quantity(${capacityOf('self.spec')}).compareTo(quantity(${capacityOf(of)})) >= 0`
const unbound = '!has(oldSelf.status) || !has(oldSelf.status.binding) || !has(oldSelf.status.binding.name)'
/** Not "at least status.capacity" alone: that would refuse our own status write after somebody grew the volume by hand. */
const growOnly: Rule = {
  rule: `${unbound} || !has(self.spec.capacity) || !${parsed('self.spec')}`
    + ` || (has(oldSelf.spec.capacity) && ${parsed('oldSelf.spec')} && ${fits('oldSelf.spec')})`
    + ` || (has(oldSelf.status.capacity) ? ${parsed('oldSelf.status')} && ${fits('oldSelf.status')} : !has(oldSelf.spec.capacity))`,
  message: 'cannot shrink: a volume only grows; make a new, smaller volume and copy the content from inside a guest',
  fieldPath: '.spec.capacity',
}

export const storageVolume: Kind = {
  resource: { group, version, plural: 'storagevolumes', kind: 'StorageVolume', namespaced: true },
  singular: 'storagevolume',
  shortNames: ['vvol'],
  description: 'A StorageVolume is one disk image or block volume in a pool: empty, a thin clone, a full copy, or an image from the web.',
  spec,
  status,
  rules: [
    {
      rule: `has(self.spec.capacity) || has(self.spec.backingStore) || (has(self.spec.source) && !has(self.spec.source.empty)) || (${observedOnly})`,
      message: 'is needed: nothing else tells the size of an empty volume',
      fieldPath: '.spec.capacity',
      reason: 'FieldValueRequired',
    },
    boundNameRule, boundFormatRule, growOnly,
    frozen('poolRef', 'is bound and cannot change: make a new volume in the other pool with source.clone'),
    frozen('source', 'is bound and cannot change: the content is written once; make a new volume with the other source',
      { present: ['source', 'source.empty'], equal: ['source.clone', 'source.url'] }),
    frozen('backingStore', 'is bound and cannot change: make a new volume with the other backingStore'),
  ],
  columns: [
    columns.ready,
    columns.of('Capacity', '.status.capacity', 'Size that the guest sees.'),
    columns.of('Format', '.status.format', 'Format of the content.'),
    columns.of('Pool', '.spec.poolRef.name', 'The pool that holds it.'),
    columns.of('Progress', '.status.progress', 'Part of the content that is written.'),
    columns.age,
    columns.wide('Allocation', '.status.allocation', 'What it takes from the pool.'),
    columns.hypervisor,
    columns.wide('Path', '.status.path', 'Where it lies on the host.'),
    columns.reason,
  ],
  selectableFields: ['.status.binding.hypervisor', '.spec.poolRef.name'],
}
