// libvirt's own store of secrets.

import type { SecretCalls } from '../../driver.ts'
import type { Desk } from './desk.ts'

export const secretCalls = (desk: Desk) => ({
  connectListAllSecrets: (flags = 0) => desk.call('connectListAllSecrets', ({ secrets }) => secrets.list(flags)),
  secretLookupByUUID: uuid => desk.call('secretLookupByUUID', ({ secrets }) => secrets.find(uuid).ref),
  secretLookupByUsage: (usageType, usageID) => desk.call('secretLookupByUsage', ({ secrets }) => secrets.findByUsage(usageType, usageID).ref),
  secretGetXMLDesc: secret => desk.call('secretGetXMLDesc', ({ secrets }) => secrets.find(secret.uuid).document.text),
  secretDefineXML: (xml, flags) => desk.call('secretDefineXML', ({ secrets }) => secrets.define(xml, flags)),
  secretSetValue: (secret, value) => desk.call('secretSetValue', ({ secrets }) => secrets.setValue(secrets.find(secret.uuid), value)),
  secretGetValue: secret => desk.call('secretGetValue', ({ secrets }) => secrets.valueOf(secrets.find(secret.uuid))),
  secretUndefine: secret => desk.call('secretUndefine', ({ secrets }) => secrets.undefine(secrets.find(secret.uuid))),
} satisfies SecretCalls)
