// VirtualDomain, cloud-init: the NoCloud seed that vireo makes for the guest.

import type { Static } from 'typebox'
import { keyRef, refAcross } from '../common.ts'
import { about, exactlyOne, object, optional, setOf, text } from '../schema.ts'

const inputs = ['inline', 'secretRef', 'configMapRef'] as const
const input = (what: string, def: string) => optional(object({
  inline: optional(text(65536, about('The text itself. Anybody who may read the domain reads it: no secrets here.'), { minLength: 0 })),
  secretRef: optional(keyRef('The text is in a Secret.', 'Secret')),
  configMapRef: optional(keyRef('The text is in a ConfigMap.', 'ConfigMap')),
}, about(`${what} Exactly one of inline, secretRef, configMapRef.`, def, 'live'), { rules: [exactlyOne('the text', inputs)] }))

export const cloudInit = object({
  poolRef: optional(refAcross('The pool that the seed goes to.', 'StoragePool', 'the pool of the first volumeRef', 'policy')),
  hostname: optional(text(253, about('Name of the guest.', 'metadata.name', 'live'))),
  user: optional(object({
    name: text(32, about('Name of the account.')),
    sshAuthorizedKeys: optional(setOf(text(8192, about('One public key, as in authorized_keys.')), 64, about('Public keys that may log in.', 'none'))),
  }, about('The short form: one account with sudo and public keys. Excludes userData.', 'none', 'live'))),
  userData: input('user-data of cloud-init, such as #cloud-config.', 'that of user'),
  networkData: input('network-config of cloud-init.', 'none: DHCP on the first interface'),
  metaData: input('Further meta-data of cloud-init, in YAML.', 'none'),
  instanceID: optional(text(253, about('Changing it makes cloud-init run again as on the first boot.', "the domain's UUID", 'live'))),
}, about('Configures the guest at its first boot. vireo makes, attaches, remakes and removes the seed; a change swaps the medium, and the guest reads it at its next boot.', 'none', 'live'), {
  rules: [{ rule: '!has(self.user) || !has(self.userData)', message: 'user and userData exclude each other: put the account into userData' }],
})

export type CloudInitSpec = Static<typeof cloudInit>
export type CloudInitText = NonNullable<CloudInitSpec['userData']>
