// The formats that a string can have in a CustomResourceDefinition; others are ignored (apiextensions-apiserver, kube-openapi strfmt).

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { dnsLabel, dnsSubdomain } from './meta/names.ts'

const byPattern = (pattern: RegExp) => (text: string): boolean => pattern.test(text)
const uuid = (version: string, variant: string) => byPattern(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'))
const isbn10 = (text: string): boolean => {
  const digits = text.replaceAll(/[\s-]/g, '')
  return /^[0-9]{9}[0-9X]$/.test(digits) && Array.from(digits).reduce((sum, digit, i) => sum + (i + 1) * (digit === 'X' ? 10 : Number(digit)), 0) % 11 === 0
}
const isbn13 = (text: string): boolean => {
  const digits = text.replaceAll(/[\s-]/g, '')
  return /^[0-9]{13}$/.test(digits) && Array.from(digits).reduce((sum, digit, i) => sum + (i % 2 === 0 ? 1 : 3) * Number(digit), 0) % 10 === 0
}
const creditCard = /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/

/** A day that the calendar has. */
function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (!match) return false
  const [, year, month, day] = match.map(Number) as [number, number, number, number]
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** RFC 3339; the seconds may be left out of neither. */
function isDateTime(text: string): boolean {
  const match = /^(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)$/.exec(text)
  if (!match) return false
  const [hour, minute, second] = match.slice(2, 5).map(Number) as [number, number, number]
  return isDate(match[1]!) && hour < 24 && minute < 60 && second <= 60
}

/** Go's durations, and a number with a unit in words (`22 ns`, `3 days`). */
const isDuration = (text: string): boolean =>
  /^[-+]?(0|([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$/.test(text)
  || /^\s*([0-9]+([.][0-9]+)?)\s*(ns|us|µs|ms|s|m|h|d|w|(nano|micro|milli)s(ec(ond)?)?s?|sec(ond)?s?|min(ute)?s?|hrs?|hours?|days?|wks?|weeks?)\s*$/i.test(text)

const isHostname = (text: string): boolean =>
  text.length <= 255 && text.split('.').every(part => part.length <= 63) && /^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)\.?$/.test(text)

function isCidr(text: string): boolean {
  const match = /^(.*)\/(0|[1-9][0-9]*)$/.exec(text)
  return match !== null && isIP(match[1]!) !== 0 && !match[1]!.includes('%') && Number(match[2]) <= (isIPv4(match[1]!) ? 32 : 128)
}

function isUri(text: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) ? URL.canParse(text) : text.startsWith('/') && URL.canParse(text, 'http://host')
}

const formats: Record<string, (text: string) => boolean> = {
  bsonobjectid: byPattern(/^[0-9a-fA-F]{24}$/),
  uri: isUri,
  email: byPattern(/^[^\s@<>()[\],;:\\"]+@[^\s@<>()[\],;:\\"]+$/),
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: text => isIPv6(text) && !text.includes('%'),
  cidr: isCidr,
  mac: byPattern(/^([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){7}|[0-9a-fA-F]{4}([.][0-9a-fA-F]{4}){2,3})$/),
  uuid: uuid('[0-9a-f]', '[0-9a-f]'),
  uuid3: uuid('3', '[0-9a-f]'),
  uuid4: uuid('4', '[89ab]'),
  uuid5: uuid('5', '[89ab]'),
  isbn: text => isbn10(text) || isbn13(text),
  isbn10,
  isbn13,
  creditcard: text => creditCard.test(text.replaceAll(/[^0-9]/g, '')),
  ssn: byPattern(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: byPattern(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: byPattern(/^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/),
  byte: byPattern(/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  'k8s-short-name': text => dnsLabel(text, false).length === 0,
  'k8s-long-name': text => dnsSubdomain(text, false).length === 0,
}

/** `date-time` and `datetime` are one: dashes do not count in a format's name. */
const lookup = (format: string): ((text: string) => boolean) | undefined =>
  Object.hasOwn(formats, format) ? formats[format] : Object.hasOwn(formats, format.replaceAll('-', '')) ? formats[format.replaceAll('-', '')] : undefined

export const knowsFormat = (format: string): boolean => lookup(format) !== undefined
/** Whether a text has a format; any text has one that nobody knows. */
export const hasFormat = (format: string, text: string): boolean => lookup(format)?.(text) ?? true
