// What names, label keys and label values may look like, in kube-apiserver's words (RFC 1123, Kubernetes' label syntax).

import { bytes } from '../json/gotext.ts'

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const keyName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelPattern = new RegExp(`^${label}$`)
const dns1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const dns1035Pattern = new RegExp(`^${dns1035}$`)
const keyPattern = new RegExp(`^${keyName}$`)

/** Labels are measured in bytes, names in characters: it is the same for what they may hold. */
const tooLong = (max: number, unit = 'bytes'): string => `must be no more than ${max} ${unit}`
const byPattern = (says: string, pattern: string, ...examples: string[]): string =>
  `${says} (e.g. ${examples.map(example => `'${example}', `).join(' or ')}regex used for validation is '${pattern}')`

/** Whether each label between dots is well-formed: the same as the pattern of a subdomain, without its backtracking. */
const isSubdomain = (text: string): boolean => text.split('.').every(part => labelPattern.test(part))

/** Answers what is wrong with a name; empty when nothing is. `prefix`: the text before generated characters, which may end in a dash. */
export type NameRule = (name: string, prefix: boolean) => string[]

const masked = (name: string, prefix: boolean): string => prefix && name.endsWith('-') ? `${name.slice(0, -1)}a` : name

export const dnsSubdomain: NameRule = (name, prefix) => {
  const text = masked(name, prefix)
  return [
    ...bytes(text) > 253 ? [tooLong(253, 'characters')] : [],
    ...isSubdomain(text) ? [] : [byPattern("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character", subdomain, 'example.com')],
  ]
}

export const dnsLabel: NameRule = (name, prefix) => {
  const text = masked(name, prefix)
  const wellFormed = labelPattern.test(text)
  return [
    ...bytes(text) > 63 ? [tooLong(63, 'characters')] : [],
    ...wellFormed ? [] : isSubdomain(text) ? ['must not contain dots'] :
      [byPattern("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character", label, 'my-name', '123-abc')],
  ]
}

/** RFC 1035: what the lower case of a kind must be. */
export function dns1035Label(text: string): string[] {
  return [
    ...bytes(text) > 63 ? [tooLong(63, 'characters')] : [],
    ...dns1035Pattern.test(text) ? [] : [byPattern("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character", dns1035, 'my-name', 'abc-123')],
  ]
}

/** What no name may be, as it is a segment of a path. */
export const pathSegment: NameRule = (name, prefix) => {
  if (!prefix && (name === '.' || name === '..')) return [`may not be '${name}'`]
  return ['/', '%'].filter(part => name.includes(part)).map(part => `may not contain '${part}'`)
}

const keySentence = (): string => byPattern("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", keyName, 'MyName', 'my.name', '123-abc')

/** A label's key, an annotation's, a finalizer: a name with an optional DNS prefix and a slash. */
export function qualifiedName(text: string): string[] {
  const parts = text.split('/')
  if (parts.length > 2) return [`a valid label key ${keySentence()} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  const [prefix, name] = parts.length === 2 ? [parts[0]!, parts[1]!] : [undefined, parts[0]!]
  return [
    ...prefix === undefined ? [] : prefix === '' ? ['prefix part must be non-empty'] : dnsSubdomain(prefix, false).map(says => `prefix part ${says.replace(/ characters$/, ' bytes')}`),
    ...name === '' ? ['name part must be non-empty'] : bytes(name) > 63 ? [`name part ${tooLong(63)}`] : [],
    ...keyPattern.test(name) ? [] : [`name part ${keySentence()}`],
  ]
}

export function labelValue(text: string): string[] {
  return [
    ...bytes(text) > 63 ? [tooLong(63)] : [],
    ...text === '' || keyPattern.test(text) ? [] : [byPattern("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", `(${keyName})?`, 'MyValue', 'my_value', '12345')],
  ]
}
