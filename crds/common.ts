// What several kinds share: references, the common spec fields of host objects, and the common parts of status.

import type { Static } from 'typebox'
import { about, choice, integer, listOf, mapOf, object, optional, stringMap, text, time, type Rule } from './schema.ts'

const labelValue = text(63, about('One label value.'), { minLength: 0 })

/** A reference to an object of the same namespace. */
export const ref = (what: string, kind: string, scope: 'cluster' | 'namespace', def: string | undefined, when: 'live' | 'coldStart' | 'bound' | 'policy') =>
  object({ name: text(253, about(`Name of the ${kind}${scope === 'cluster' ? ', which is cluster-scoped' : ' in the same namespace'}.`)) },
    about(what, def, when), { atomic: true })

/** A reference that may lead to another namespace, where that object's `export` allows it. */
export const refAcross = (what: string, kind: string, def: string | undefined, when: 'live' | 'coldStart' | 'bound' | 'policy') =>
  object({
    name: text(253, about(`Name of the ${kind}.`)),
    namespace: optional(text(63, about(`Namespace of the ${kind}, whose spec.export has to select this one.`, 'the namespace of this object'))),
  }, about(what, def, when), { atomic: true })
export type ObjectRef = Static<ReturnType<typeof refAcross>>

/** A key of a Secret or ConfigMap of the same namespace. */
export const keyRef = (what: string, kind: 'Secret' | 'ConfigMap') =>
  object({
    name: text(253, about(`Name of the ${kind} in the same namespace.`)),
    key: text(253, about(`Key in the ${kind}.`)),
  }, about(what), { atomic: true })
export type KeyRef = Static<ReturnType<typeof keyRef>>

export const labelSelector = (what: string, def: string, extra: { default?: unknown } = {}) =>
  object({
    matchLabels: optional(stringMap(64, 63, about('Labels that the namespace must all have, with these values.'))),
    matchExpressions: optional(listOf(object({
      key: text(317, about('Key of the label.')),
      operator: choice(['In', 'NotIn', 'Exists', 'DoesNotExist'], about('How the label is compared.')),
      values: optional(listOf(labelValue, 64, about('Values for In and NotIn; empty for Exists and DoesNotExist.'))),
    }, about('One requirement on a label.')), 64, about('Requirements that must all hold.'))),
  }, about(what, def, 'policy'), { atomic: true, ...extra })
export type LabelSelector = Static<ReturnType<typeof labelSelector>>

export const exportTo = (what: string) => optional(object({
  namespaceSelector: optional(labelSelector(`Namespaces that may reference this ${what}; {} selects all.`, 'none but its own')),
}, about(`Opens this ${what} to references from other namespaces.`, 'this namespace only', 'policy')))

export const managementPolicy = choice(['Full', 'ObserveOnly'],
  about('Full: vireo makes the host match the spec. ObserveOnly: vireo fills the status and never changes anything on the host, also not at deletion; the spec may then be nearly empty.', 'Full', 'policy'),
  { default: 'Full' })

const uuidRule: Rule = {
  rule: "self.matches('^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$')",
  message: 'is not a UUID: write 32 hexadecimal digits with dashes, such as 6f1c2d3e-0000-5000-8000-000000000001',
}
export const uuid = (what: string, def: string, when: 'bound' | 'policy') => text(36, about(what, def, when), { rules: [uuidRule] })

/** hypervisorRef and uuid: not on volumes, whose pool decides. */
export const hypervisorRef = optional(ref('The Hypervisor that holds this object.', 'Hypervisor', 'cluster',
  'the hypervisor of the objects it references, else the Hypervisor marked default', 'bound'))
export const objectUUID = optional(uuid("libvirt's UUID. Naming the UUID of an object that vireo did not create needs the Hypervisor's policy.",
  'computed from installation, kind, namespace and name', 'bound'))

/** Fields of all four host-object kinds. */
export const hostObjectSpec = {
  name: optional(text(255, about("libvirt's name for it.", 'the bound name, else metadata.name by the nameFormat of the Hypervisor', 'bound'), {
    rules: [{ rule: "self.matches('^[^/\\\\n]+$')", message: 'must not hold a slash or a line break' }],
  })),
  managementPolicy: optional(managementPolicy),
  adoptionPolicy: optional(choice(['Never', 'IfUnchanged', 'Always'],
    about('What to do when the host already has an object of this name that vireo did not create. Never: Conflict. IfUnchanged: take it over if nothing on it would change. Always: take it over and correct it. Needs foreignObjects: Adopt in the policy of the Hypervisor.', 'Never', 'policy'),
    { default: 'Never' })),
  deletionPolicy: optional(choice(['Delete', 'Retain'],
    about('What becomes of the host object when this one is deleted. Retain marks it released and leaves it.', 'Delete if vireo created it, Retain if it was adopted', 'policy'))),
  driftPolicy: optional(object({
    action: optional(choice(['Correct', 'Report', 'Ignore'],
      about('Correct: put back what was changed by hand. Report: list it in status.drift and leave it. Ignore: neither.', 'Correct', 'policy'))),
  }, about('What to do about changes made on the host behind the back of vireo.', 'action Correct', 'policy'))),
}

const recreateWords = {
  Never: 'Never: such changes stay pending.',
  WhenUnused: 'WhenUnused: as soon as nothing uses it.',
  Always: 'Always: at once, which cuts off whoever uses it.',
}
/** updatePolicy of networks and pools. */
export const recreatePolicy = <const T extends readonly (keyof typeof recreateWords)[]>(values: T) => optional(object({
  recreate: optional(choice(values, about(`When the host object may be recreated for a change that nothing else brings about. ${values.map(v => recreateWords[v]).join(' ')}`, 'WhenUnused', 'policy'))),
}, about('How changes that cannot be applied in place reach the host.', 'recreate WhenUnused', 'policy')))

/** An overlay: XML merged last into what vireo renders. */
export const overlay = (what: string, when: 'coldStart' | 'live' | undefined) =>
  optional(text(65536, about(`${what} Attributes overwrite, elements that occur once merge, list elements append. May not touch name, uuid or the metadata of vireo, and needs rawXML: Allowed in the policy of the Hypervisor.`, 'none', when)))

// Status.

export const conditions = optional(mapOf('type', object({
  type: text(316, about('Name of the condition, such as Ready.')),
  status: choice(['True', 'False', 'Unknown'], about('Whether the condition holds.')),
  observedGeneration: optional(integer(0, Number.MAX_SAFE_INTEGER, about('Generation of the spec that this condition is about.'))),
  lastTransitionTime: time(about('When status last changed.')),
  reason: text(1024, about('Why, in one CamelCase word out of a closed list.')),
  message: text(32768, about('Why, in one sentence for a person.'), { minLength: 0 }),
}, about('One condition.')), 16, about('What is true of the object. Ready and Synced (Connected on a Hypervisor) are always present, the others only while True.')))

export const observedGeneration = optional(integer(-1, Number.MAX_SAFE_INTEGER, about('Generation of the spec that this status is about; -1 until vireo has seen the object.')))

const origin = choice(['Created', 'Adopted', 'Observed'], about('How vireo came to it: created by vireo, taken over, or only looked at.'))
const boundHypervisor = text(253, about('Name of the Hypervisor.'))
const boundName = text(255, about("libvirt's name."))

export const binding = optional(object({
  hypervisor: boundHypervisor,
  name: boundName,
  uuid: text(36, about("libvirt's UUID.")),
  origin,
}, about('Which identity the object has on which host. Set at the first write, kept for life.')))

export const volumeBinding = optional(object({
  hypervisor: boundHypervisor,
  name: boundName,
  pool: text(255, about("libvirt's name of the pool.")),
  format: optional(text(64, about('Format of the content. What counts is this record, never a probe of the content, which a guest can write.'))),
  origin,
}, about('Which identity the object has on which host. Set at the first write, kept for life.')))

const shown = (what: string) => optional(text(4096, about(`${what} Secrets are shown as ***.`), { minLength: 0 }))

/** Status fields of all four host-object kinds, without binding. */
export const hostObjectStatus = {
  observedGeneration,
  conditions,
  pendingChanges: optional(mapOf('path', object({
    path: text(512, about('Path of the field below spec, such as disks[root].cache.')),
    current: shown('Value in force.'),
    desired: shown('Value of the spec.'),
    apply: choice(['ColdStart', 'Recreate', 'Window'], about('What brings it into force.')),
  }, about('One staged change.')), 64, about('Changes that are staged and not in force yet.'))),
  drift: optional(mapOf('path', object({
    path: text(512, about('Path of the field below spec, such as interfaces[lan].linkState.')),
    expected: shown('Value of the spec.'),
    found: shown('Value on the host.'),
    since: time(about('When vireo first saw it.')),
  }, about('One difference.')), 64, about('Differences made on the host that stay there under driftPolicy Report.'))),
  actions: optional(mapOf('name', object({
    name: text(63, about('The verb, such as restart.')),
    token: text(256, about('The value of the annotation that was handled.'), { minLength: 0 }),
    time: time(about('When it was handled.')),
    outcome: text(1024, about('Done, or why not.')),
  }, about('One verb.')), 16, about('The last annotation handled of each verb, so that a token left in Git acts once.'))),
}

type Entry<T extends readonly unknown[]> = T[number]
export type Condition = Entry<Static<typeof conditions>>
export type Origin = Static<typeof origin>
export type Binding = Static<typeof binding>
export type VolumeBinding = Static<typeof volumeBinding>
export type PendingChange = Entry<Static<typeof hostObjectStatus.pendingChanges>>
export type Drift = Entry<Static<typeof hostObjectStatus.drift>>
export type ActionRecord = Entry<Static<typeof hostObjectStatus.actions>>

/** A status that vireo has not written yet, so that kstatus does not call a new object Current. */
export const unseen = { observedGeneration: -1 }

// Rules at the root: an identity that is bound stays.

const bindingKnown = (field: string) => `has(oldSelf.status) && has(oldSelf.status.binding) && has(oldSelf.status.binding.${field})`

/** Absent in spec means "keep what is bound"; present must equal it; before the binding all is free. */
const boundTo = (specPath: string, specValue: string, field: string, message: string, says: string): Rule => ({
  rule: `!has(self.spec.${specPath}) || !(${bindingKnown(field)}) || ${specValue} == oldSelf.status.binding.${field}`,
  message,
  messageExpression: `'is bound to ' + oldSelf.status.binding.${field} + ': ${says}'`,
  fieldPath: `.spec.${specPath}`,
})

const says = {
  hypervisorRef: 'moving to another host is not supported; leave it out or put it back, and make a new object for the other host',
  name: 'the name on the host stays for life; leave it out or put it back, and make a new object for the other name',
  uuid: 'the UUID on the host stays for life; leave it out or put it back, and make a new object for the other UUID',
  format: 'the format of a volume stays for life; make a new volume of the other format and copy the content',
}
export const boundHypervisorRule = boundTo('hypervisorRef', 'self.spec.hypervisorRef.name', 'hypervisor', `is bound: ${says.hypervisorRef}`, says.hypervisorRef)
export const boundNameRule = boundTo('name', 'self.spec.name', 'name', `is bound: ${says.name}`, says.name)
export const boundUUIDRule = boundTo('uuid', 'self.spec.uuid.lowerAscii()', 'uuid', `is bound: ${says.uuid}`, says.uuid)
export const boundFormatRule = boundTo('format', 'self.spec.format', 'format', `is bound: ${says.format}`, says.format)

/**
 * A field that stays as it is once the object is bound: neither set, nor changed, nor taken away. Of an object with
 * members that may be empty, name the members: comparing an empty object has no bound for the cost of CEL.
 */
export const frozen = (path: string, message: string, members: { present?: string[]; equal: string[] } = { equal: [path] }): Rule => {
  const has = (root: string, of: string) => {
    const fields = of.split('.')
    return fields.map((_, i) => `has(${root}.spec.${fields.slice(0, i + 1).join('.')})`).join(' && ')
  }
  const samePresence = (of: string) => `(${has('self', of)}) == (${has('oldSelf', of)})`
  const same = (of: string) => `${samePresence(of)} && (!(${has('self', of)} && ${has('oldSelf', of)}) || self.spec.${of} == oldSelf.spec.${of})`
  return {
    rule: `!(${bindingKnown('name')}) || (${[...(members.present ?? []).map(samePresence), ...members.equal.map(same)].join(' && ')})`,
    message,
    fieldPath: `.spec.${path}`,
  }
}

/** A member of a choice that stays chosen, or not chosen, once bound. */
export const frozenChoice = (fields: readonly string[], message: string): Rule => ({
  rule: `!(${bindingKnown('name')}) || (${fields.map(f => `has(self.spec.${f}) == has(oldSelf.spec.${f})`).join(' && ')})`,
  message,
  fieldPath: '.spec',
})

/** CEL at the root: the object is only observed, so its spec may be nearly empty. */
export const observedOnly = "has(self.spec.managementPolicy) && self.spec.managementPolicy == 'ObserveOnly'"
