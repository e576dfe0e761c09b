// libvirt's store of secrets: definitions by UUID and by what they are for, and values that only leave it where the definition allows.

import { randomUUID } from 'node:crypto'
import { SecretUsageType, type DriverEvent, type SecretRef } from '../driver.ts'
import { ErrorNumber } from '../errors.ts'
import { attributeOf, childOf, el, textOf, type XmlElement } from '../../xml/tree.ts'
import { passes } from './calls/lists.ts'
import { StoredDocument, readRoot } from './document.ts'
import type { Hub } from './hub.ts'
import { Refusal, badXml, checkFlags, internal, invalid } from './refusal.ts'
import { normalUUID, putAfter } from './values.ts'

/** VIR_FROM_SECRET. */
const FROM_SECRET = 30
/** The element of `<usage>` that names what a secret is for. */
const usages: Record<string, { type: number; element: string }> = {
  volume: { type: SecretUsageType.VOLUME, element: 'volume' }, ceph: { type: SecretUsageType.CEPH, element: 'name' }, iscsi: { type: SecretUsageType.ISCSI, element: 'target' },
  tls: { type: SecretUsageType.TLS, element: 'name' }, vtpm: { type: SecretUsageType.VTPM, element: 'name' },
}

interface Secret { ref: SecretRef; document: StoredDocument; ephemeral: boolean; private: boolean; value: Uint8Array | undefined }

const noSecret = (what: string): Refusal => new Refusal(ErrorNumber.NO_SECRET, FROM_SECRET, `Secret not found: no secret with matching ${what}`)

export class Secrets {
  readonly #hub: Hub
  readonly #byUUID = new Map<string, Secret>()

  constructor(hub: Hub) { this.#hub = hub }

  /** Flags of ListSecretsFlags. */
  list(flags: number): SecretRef[] {
    return Array.from(this.#byUUID.values()).filter(secret => passes(flags, 1, 2, secret.ephemeral) && passes(flags, 4, 8, secret.private)).map(({ ref }) => ref)
  }

  find(uuid: string): Secret {
    const found = this.#byUUID.get(normalUUID(uuid) ?? '')
    if (found === undefined) throw noSecret(`uuid '${uuid}'`)
    return found
  }

  findByUsage(type: number, id: string): Secret {
    for (const secret of this.#byUUID.values()) if (secret.ref.usageType === type && secret.ref.usageID === id) return secret
    throw noSecret(`usage '${id}'`)
  }

  define(text: string, flags: number): SecretRef {
    checkFlags(flags, 1, 'secretDefineXML')
    const tree = readRoot(text, 'secret', 'secret_definition', FROM_SECRET)
    const { usageType, usageID } = usageOf(tree)
    const uuid = uuidIn(tree)
    const known = this.#byUUID.get(uuid)
    if (known !== undefined && (known.ref.usageType !== usageType || known.ref.usageID !== usageID)) throw internal(`a secret with UUID ${uuid} already defined for use with ${known.ref.usageID}`, FROM_SECRET)
    for (const other of this.#byUUID.values()) if (other !== known && usageType !== SecretUsageType.NONE && other.ref.usageType === usageType && other.ref.usageID === usageID) throw internal(`a secret with UUID ${other.ref.uuid} already defined for use with ${usageID}`, FROM_SECRET)
    const isPrivate = attributeOf(tree, 'private') === 'yes'
    if (known?.private && !isPrivate) throw invalid('cannot change private flag on existing secret', FROM_SECRET)
    tree.attributes = { ephemeral: 'no', private: 'no', ...tree.attributes }
    const ref = { uuid, usageType, usageID }
    this.#byUUID.set(uuid, { ref, document: new StoredDocument(tree), ephemeral: attributeOf(tree, 'ephemeral') === 'yes', private: isPrivate, value: known?.value })
    this.#lifecycle(ref, 0)
    return ref
  }

  setValue(secret: Secret, value: Uint8Array): void {
    secret.value = Uint8Array.from(value)
    this.#hub.emit({ type: 'secret', name: 'value-changed', secret: secret.ref })
  }

  valueOf({ ref, value, private: hidden }: Secret): Uint8Array {
    if (hidden) throw new Refusal(ErrorNumber.INVALID_SECRET, FROM_SECRET, 'Invalid secret: secret is private')
    if (value === undefined) throw noSecret(`value of '${ref.uuid}'`)
    return Uint8Array.from(value)
  }

  undefine({ ref }: Secret): void {
    this.#byUUID.delete(ref.uuid)
    this.#lifecycle(ref, 1)
  }

  /** virSecretEventLifecycleType: 0 defined, 1 undefined. */
  #lifecycle(secret: SecretRef, event: 0 | 1): void {
    this.#hub.emit({ type: 'secret', name: 'lifecycle', secret, event, detail: 0 } satisfies DriverEvent)
  }
}

function usageOf(tree: XmlElement): Pick<SecretRef, 'usageType' | 'usageID'> {
  const usage = childOf(tree, 'usage')
  if (usage === undefined) return { usageType: SecretUsageType.NONE, usageID: '' }
  const known = usages[attributeOf(usage, 'type') ?? '']
  if (known === undefined) throw badXml(`unknown secret usage type ${attributeOf(usage, 'type') ?? ''}`, FROM_SECRET)
  const named = childOf(usage, known.element)
  const usageID = textOf(named) || attributeOf(named, 'name') || ''
  if (usageID === '') throw badXml(`${attributeOf(usage, 'type')} usage specified, but ${known.element} is missing`, FROM_SECRET)
  return { usageType: known.type, usageID }
}

function uuidIn(tree: XmlElement): string {
  const given = childOf(tree, 'uuid')
  const uuid = given === undefined ? randomUUID() : normalUUID(textOf(given))
  if (uuid === undefined) throw badXml(`malformed uuid element`, FROM_SECRET)
  if (given === undefined) putAfter(tree, el('uuid', {}, uuid), [])
  else given.children = [uuid]
  return uuid
}
