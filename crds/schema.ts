// The words the kinds are written in: typebox schemas that carry what a CRD needs beside JSON Schema.
//
// Strings and lists always have a bound: the API server prices CEL rules by it. A value that people get wrong
// is held by a CEL rule with a sentence, never by `pattern`, whose error prints a regular expression.

import { Type, type TProperties, type TSchema, type TUnsafe } from 'typebox'

/** One entry of x-kubernetes-validations. `message` is the sentence; `messageExpression` may add values to it. */
export interface Rule {
  rule: string
  message: string
  messageExpression?: string
  /** Needed on rules at the object's root: without it the error names `<nil>`. */
  fieldPath?: string
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired'
}

/** When a change of the field reaches the host. */
const whens = {
  live: 'Applied live.',
  coldStart: 'Staged: taken at the next cold start and listed in status.pendingChanges until then.',
  recreate: 'Changing it recreates the host object, under updatePolicy.recreate.',
  bound: 'Cannot change once the object is bound to a host.',
  policy: 'Policy: read by vireo, no call to the host.',
} as const
export type When = keyof typeof whens

/** A description in the manner of `kubectl explain`: what it is, what happens without it, when a change applies. */
export function about(what: string, def?: string, when?: When, more?: string): { description: string } {
  const parts = [what, def === undefined ? undefined : `Default: ${def}.`, when && whens[when], more]
  return { description: parts.filter(part => part !== undefined).join(' ') }
}

type About = { description: string }
interface Extra { default?: unknown; rules?: Rule[] }
const keywords = ({ rules, ...rest }: Extra): Record<string, unknown> =>
  rules && rules.length > 0 ? { ...rest, 'x-kubernetes-validations': rules } : rest

export const optional = Type.Optional

/** A string of at most `maxLength` characters, not empty unless `minLength` is 0. */
export const text = (maxLength: number, about: About, extra: Extra & { minLength?: number } = {}) =>
  Type.String({ ...about, minLength: 1, maxLength, ...keywords(extra) })

/** A closed enumeration of our own words. */
export const choice = <const T extends readonly string[]>(values: T, about: About, extra: Extra = {}): TUnsafe<T[number]> =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...about, ...keywords(extra) })

export const integer = (minimum: number, maximum: number, about: About, extra: Extra = {}) =>
  Type.Integer({ ...about, minimum, maximum, format: maximum > 0x7fffffff ? 'int64' : 'int32', ...keywords(extra) })

export const flag = (about: About, extra: Extra = {}) => Type.Boolean({ ...about, ...keywords(extra) })

/** An object of exactly these fields. */
export const object = <T extends TProperties>(fields: T, about: About, extra: Extra & { atomic?: boolean } = {}) => {
  const { atomic, ...rest } = extra
  return Type.Object(fields, { ...about, additionalProperties: false, ...(atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}), ...keywords(rest) })
}

/**
 * An object that says something by being there: `bios: {}`. Server-side apply takes a schema without properties for
 * untyped and would prune what is below without a word, so nothing is pruned here and maxProperties refuses it.
 */
export const presence = (about: About) => Type.Object({}, { ...about, maxProperties: 0, 'x-kubernetes-preserve-unknown-fields': true })

/** A list whose entries are found by `keys`; its order has no meaning. */
export const mapOf = <T extends TSchema>(keys: string | string[], item: T, maxItems: number, about: About, extra: Extra = {}) =>
  Type.Array(item, { ...about, maxItems, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [keys].flat(), ...keywords(extra) })

/** A list of distinct scalars; its order has no meaning. */
export const setOf = <T extends TSchema>(item: T, maxItems: number, about: About, extra: Extra = {}) =>
  Type.Array(item, { ...about, maxItems, 'x-kubernetes-list-type': 'set', ...keywords(extra) })

/** A list whose order is its meaning. */
export const listOf = <T extends TSchema>(item: T, maxItems: number, about: About, extra: Extra = {}) =>
  Type.Array(item, { ...about, maxItems, 'x-kubernetes-list-type': 'atomic', ...keywords(extra) })

/** Strings by name. */
export const stringMap = (maxProperties: number, maxLength: number, about: About) =>
  Type.Unsafe<Record<string, string>>({ type: 'object', maxProperties, additionalProperties: { type: 'string', maxLength }, ...about })

/** A Kubernetes quantity of bytes, at least `minimum` (itself a quantity). Numbers count bytes. */
export const quantity = (minimum: string, about: About) =>
  Type.Unsafe<number | string>({
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    maxLength: 32,
    'x-kubernetes-int-or-string': true,
    ...about,
    'x-kubernetes-validations': [
      {
        rule: 'isQuantity(string(self))',
        message: 'is not a quantity: write a number of bytes, or one with a unit such as 512Mi or 2Gi',
        messageExpression: "string(self) + ' is not a quantity: write a number of bytes, or one with a unit such as 512Mi or 2Gi'",
      },
      {
        rule: `!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('${minimum}')) >= 0`,
        message: `must be at least ${minimum}`,
        messageExpression: `string(self).matches('^[0-9]+$') ? string(self) + ' means ' + string(self) + ' bytes, and the least is ${minimum}: did you mean ' + string(self) + 'Mi?' : string(self) + ' is less than the least, ${minimum}'`,
      },
    ] satisfies Rule[],
  })

/** Bytes in status, written by vireo in canonical form. */
export const bytes = (about: About) => Type.String({ ...about, maxLength: 32 })

/** A time, RFC 3339 in UTC. */
export const time = (about: About) => Type.String({ ...about, format: 'date-time', maxLength: 64 })

/** A Go duration. */
export const duration = (about: About) =>
  text(32, about, {
    rules: [{
      rule: "self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')",
      message: 'is not a duration: write 90s, 5m or 1h30m',
      messageExpression: "self + ' is not a duration: write 90s, 5m or 1h30m'",
    }],
  })

/**
 * Exactly one of the fields. `what` opens the sentence "... needs exactly one of a, b"; `presence` says that some
 * members may be without settings, which people write as nothing after the colon, and that is null.
 */
export const exactlyOne = (what: string, fields: readonly string[], presence = false): Rule => ({
  rule: `[${fields.map(f => `has(self.${f})`).join(', ')}].filter(x, x).size() == 1`,
  message: `${what} needs exactly one of ${fields.join(', ')}${presence ? '; one without settings is written {}' : ''}`,
})

/** The name of a list entry: it becomes part of the device's alias on the host. */
export const entryName = (what: string) =>
  text(40, about(`Name of the ${what}: the key of this entry, a DNS label of at most 40 characters. Renaming it removes one entry and adds another.`), {
    rules: [{
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: 'must be a DNS label: lower case letters, digits and dashes, such as root or data-1',
      messageExpression: "self + ' is not a DNS label: use lower case letters, digits and dashes, such as root or data-1'",
    }],
  })

export const macAddress = (about: About) =>
  text(17, about, {
    rules: [{
      rule: "self.matches('^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$')",
      message: 'is not a unicast MAC address: write six pairs such as 52:54:00:aa:bb:01, in quotes',
      messageExpression: "self + ' is not a unicast MAC address: write six pairs such as 52:54:00:aa:bb:01, in quotes'",
    }],
  })

export const ipAddress = (about: About) =>
  text(45, about, {
    rules: [{
      rule: 'isIP(self)',
      message: 'is not an IP address: write one such as 192.168.150.10 or fd00:150::10',
      messageExpression: "self + ' is not an IP address: write one such as 192.168.150.10 or fd00:150::10'",
    }],
  })

/** A path on the host, from its root. Whether it is allowed is the Hypervisor's policy. */
export const hostPath = (about: About) =>
  text(1024, about, {
    rules: [{
      rule: "self.startsWith('/')",
      message: 'must be an absolute path on the host',
      messageExpression: "self + ' must be an absolute path on the host: it has to begin with /'",
    }],
  })

/** A folder of the host, or one in a datastore of ESX: `[datastore1]`, `[datastore1] folder`. */
export const hostFolder = (about: About) =>
  text(1024, about, {
    rules: [{
      rule: "self.startsWith('/') || self.matches('^\\\\[[^\\\\[\\\\]/]+\\\\]( |$)')",
      message: 'must be an absolute path on the host',
      messageExpression: "self + ' must be an absolute path on the host: it has to begin with /, or on ESX with the name of a datastore in brackets'",
    }],
  })

/** On URIs. Forbidden, unlike Invalid, does not print the value. */
export const noPassword: Rule = {
  rule: "!self.matches('^[^/]*//[^/@]*:[^/@]*@')",
  message: 'must not hold a password: anybody who may read the object would read it',
  reason: 'FieldValueForbidden',
}
