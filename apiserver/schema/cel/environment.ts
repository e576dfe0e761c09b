// The language that rules are written in: CEL with the libraries that Kubernetes adds.

import { Environment, Optional } from '@marcbachmann/cel-js'
import { hasFormat } from '../formats.ts'
import { quote } from '../json/gotext.ts'
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from '../meta/names.ts'
import { findAll, matches } from '../regex.ts'
import { indexOf, isSorted, lastIndexOf, max, min, RuleError, sameValue, setContains, setEquivalent, setIntersects, sum } from './lists.ts'
import { Address, Network } from './net.ts'
import { Quantity } from './quantity.ts'
import { charAt, format, replace, reverse } from './strings.ts'
import { durationText, nanosOf, type Duration } from './time.ts'
import { Url } from './url.ts'

/** A namespace of functions, such as `sets.contains(a, b)`. */
class Sets {}
class IpFunctions {}
class Formats {}
/** A named check of a text; answers what is wrong. */
class Format {
  readonly check: (text: string) => string[]
  constructor(check: (text: string) => string[]) { this.check = check }
}

const orError = <T>(value: T | string): T => {
  if (typeof value === 'string') throw new RuleError(value)
  return value
}

const quantityOf = (text: string): Quantity => Quantity.parse(text) ?? orError<Quantity>('quantities must match the regular expression \'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$\'')
const networkOf = (text: string): Network => orError(Network.parse(text))
const addressOf = (text: string): Address => orError(Address.parse(text))

/**
 * Methods of the library that have ours in their place, and what ours are called: its expressions are JavaScript's, in whatever
 * time they take, and its cases are all of Unicode's.
 */
export const replacedMethods: ReadonlyMap<string, string> = new Map([['matches', 'matchesRE2'], ['lowerAscii', 'lowerOfAscii'], ['upperAscii', 'upperOfAscii']])

const unlike = (name: string) => (text: string): string[] => hasFormat(name, text) ? [] : [`invalid ${name}`]
const formats: Record<string, (text: string) => string[]> = {
  dns1123Label: text => dnsLabel(text, false),
  dns1123Subdomain: text => dnsSubdomain(text, false),
  dns1035Label,
  qualifiedName,
  labelValue,
  dns1123LabelPrefix: text => dnsLabel(text, true),
  dns1123SubdomainPrefix: text => dnsSubdomain(text, true),
  dns1035LabelPrefix: text => dns1035Label(text.replace(/-$/, 'a')),
  uri: text => Url.parse(text) === undefined ? ['invalid uri'] : [],
  uuid: unlike('uuid'),
  byte: unlike('byte'),
  date: unlike('date'),
  datetime: unlike('datetime'),
}

function addTexts(env: Environment): void {
  env.registerFunction('string.matchesRE2(string): bool', (text: string, pattern: string) => matches(pattern, text))
  env.registerFunction('string.lowerOfAscii(): string', (text: string) => text.replaceAll(/[A-Z]+/g, part => part.toLowerCase()))
  env.registerFunction('string.upperOfAscii(): string', (text: string) => text.replaceAll(/[a-z]+/g, part => part.toUpperCase()))
  env.registerFunction('string.find(string): string', (text: string, pattern: string) => findAll(pattern, text, 1)[0] ?? '')
  env.registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) => findAll(pattern, text))
  env.registerFunction('string.findAll(string, int): list<string>', (text: string, pattern: string, limit: bigint) => findAll(pattern, text, limit < 0n ? Infinity : Number(limit)))
  env.registerFunction('string.charAt(int): string', charAt)
  env.registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) => replace(text, from, to))
  env.registerFunction('string.replace(string, string, int): string', replace)
  env.registerFunction('string.reverse(): string', reverse)
  env.registerFunction('string.format(list<dyn>): string', format)
  env.registerFunction('string(google.protobuf.Timestamp): string', (time: Date) => time.toISOString().replace(/[.]000Z$/, 'Z'))
  env.registerFunction('string(google.protobuf.Duration): string', (duration: Duration) => durationText(nanosOf(duration)))
  env.registerFunction('int(google.protobuf.Timestamp): int', (time: Date) => BigInt(Math.floor(time.getTime() / 1000)))
}

function addLists(env: Environment): void {
  env.registerFunction('list<dyn>.sum(): dyn', sum)
  env.registerFunction('list<dyn>.isSorted(): bool', isSorted)
  env.registerFunction('list<dyn>.min(): dyn', min)
  env.registerFunction('list<dyn>.max(): dyn', max)
  env.registerFunction('list<dyn>.indexOf(dyn): int', indexOf)
  env.registerFunction('list<dyn>.lastIndexOf(dyn): int', lastIndexOf)
  env.registerFunction('list<dyn>.includes(dyn): bool', (list: unknown[], value: unknown) => list.some(item => sameValue(item, value)))
  env.registerType('kubernetes.Sets', { ctor: Sets, fields: {} })
  env.registerConstant('sets', 'kubernetes.Sets', new Sets())
  env.registerFunction('kubernetes.Sets.contains(list<dyn>, list<dyn>): bool', (_: Sets, a: unknown[], b: unknown[]) => setContains(a, b))
  env.registerFunction('kubernetes.Sets.equivalent(list<dyn>, list<dyn>): bool', (_: Sets, a: unknown[], b: unknown[]) => setEquivalent(a, b))
  env.registerFunction('kubernetes.Sets.intersects(list<dyn>, list<dyn>): bool', (_: Sets, a: unknown[], b: unknown[]) => setIntersects(a, b))
}

function addQuantities(env: Environment): void {
  env.registerType('kubernetes.Quantity', { ctor: Quantity, fields: {} })
  const method = (signature: string, run: (quantity: Quantity, other: Quantity) => unknown): void => { env.registerFunction(`kubernetes.Quantity.${signature}`, run) }
  env.registerFunction('quantity(string): kubernetes.Quantity', quantityOf)
  env.registerFunction('isQuantity(string): bool', (text: string) => Quantity.parse(text) !== undefined)
  env.registerOperator('kubernetes.Quantity == kubernetes.Quantity', (a: Quantity, b: Quantity) => a.nanos === b.nanos)
  method('isGreaterThan(kubernetes.Quantity): bool', (a, b) => a.compareTo(b) > 0n)
  method('isLessThan(kubernetes.Quantity): bool', (a, b) => a.compareTo(b) < 0n)
  method('compareTo(kubernetes.Quantity): int', (a, b) => a.compareTo(b))
  method('add(kubernetes.Quantity): kubernetes.Quantity', (a, b) => a.add(b))
  method('sub(kubernetes.Quantity): kubernetes.Quantity', (a, b) => a.sub(b))
  env.registerFunction('kubernetes.Quantity.add(int): kubernetes.Quantity', (a: Quantity, b: bigint) => a.add(Quantity.of(b)))
  env.registerFunction('kubernetes.Quantity.sub(int): kubernetes.Quantity', (a: Quantity, b: bigint) => a.sub(Quantity.of(b)))
  method('sign(): int', a => a.sign)
  method('isInteger(): bool', a => a.integer !== undefined)
  method('asInteger(): int', a => a.integer ?? orError('cannot convert value to integer'))
  method('asApproximateFloat(): double', a => a.approximately)
}

function addNetworks(env: Environment): void {
  env.registerType('net.IP', { ctor: Address, fields: {} })
  env.registerType('net.CIDR', { ctor: Network, fields: {} })
  env.registerType('kubernetes.IP', { ctor: IpFunctions, fields: {} })
  env.registerConstant('ip', 'kubernetes.IP', new IpFunctions())
  const ofIp = (signature: string, run: (address: Address) => unknown): void => { env.registerFunction(`net.IP.${signature}`, run) }
  const ofCidr = (signature: string, run: (network: Network, other: never) => unknown): void => { env.registerFunction(`net.CIDR.${signature}`, run) }
  env.registerFunction('ip(string): net.IP', addressOf)
  env.registerFunction('isIP(string): bool', (text: string) => typeof Address.parse(text) !== 'string')
  env.registerFunction('kubernetes.IP.isCanonical(string): bool', (_: IpFunctions, text: string) => addressOf(text).toString() === text)
  env.registerFunction('string(net.IP): string', String)
  env.registerOperator('net.IP == net.IP', (a: Address, b: Address) => a.equals(b))
  ofIp('family(): int', address => BigInt(address.family))
  ofIp('isUnspecified(): bool', address => address.isUnspecified)
  ofIp('isLoopback(): bool', address => address.isLoopback)
  ofIp('isLinkLocalMulticast(): bool', address => address.isLinkLocalMulticast)
  ofIp('isLinkLocalUnicast(): bool', address => address.isLinkLocalUnicast)
  ofIp('isGlobalUnicast(): bool', address => address.isGlobalUnicast)
  env.registerFunction('cidr(string): net.CIDR', networkOf)
  env.registerFunction('isCIDR(string): bool', (text: string) => typeof Network.parse(text) !== 'string')
  env.registerFunction('string(net.CIDR): string', String)
  env.registerOperator('net.CIDR == net.CIDR', (a: Network, b: Network) => a.equals(b))
  ofCidr('containsIP(string): bool', (network, text: string) => network.contains(addressOf(text)))
  ofCidr('containsIP(net.IP): bool', (network, address: Address) => network.contains(address))
  ofCidr('containsCIDR(string): bool', (network, text: string) => network.containsNetwork(networkOf(text)))
  ofCidr('containsCIDR(net.CIDR): bool', (network, other: Network) => network.containsNetwork(other))
  ofCidr('ip(): net.IP', network => network.address)
  ofCidr('prefixLength(): int', network => BigInt(network.prefix))
  ofCidr('masked(): net.CIDR', network => network.masked)
}

function addUrls(env: Environment): void {
  env.registerType('kubernetes.URL', { ctor: Url, fields: {} })
  const method = (signature: string, run: (url: Url) => unknown): void => { env.registerFunction(`kubernetes.URL.${signature}`, run) }
  env.registerFunction('url(string): kubernetes.URL', (text: string) => Url.parse(text) ?? orError<Url>(`URL parse error during conversion from string: parse ${quote(text)}: invalid URI for request`))
  env.registerFunction('isURL(string): bool', (text: string) => Url.parse(text) !== undefined)
  env.registerOperator('kubernetes.URL == kubernetes.URL', (a: Url, b: Url) => a.equals(b))
  method('getScheme(): string', url => url.scheme)
  method('getHost(): string', url => url.host)
  method('getHostname(): string', url => url.hostname)
  method('getPort(): string', url => url.port)
  method('getEscapedPath(): string', url => url.path)
  method('getQuery(): map<string, list<string>>', url => new Map(Object.entries(url.queries)))
}

function addFormats(env: Environment): void {
  env.registerType('kubernetes.NamedFormat', { ctor: Format, fields: {} })
  env.registerType('kubernetes.Formats', { ctor: Formats, fields: {} })
  env.registerConstant('format', 'kubernetes.Formats', new Formats())
  for (const [name, check] of Object.entries(formats)) {
    const named = new Format(check)
    env.registerFunction(`kubernetes.Formats.${name}(): kubernetes.NamedFormat`, () => named)
  }
  env.registerFunction('kubernetes.Formats.named(string): optional<kubernetes.NamedFormat>', (_: Formats, name: string) =>
    Object.hasOwn(formats, name) ? Optional.of(new Format(formats[name]!)) : Optional.none())
  env.registerFunction('kubernetes.NamedFormat.validate(string): optional<list<string>>', (named: Format, text: string) => {
    const wrong = named.check(text)
    return wrong.length === 0 ? Optional.none() : Optional.of(wrong)
  })
}


function build(): Environment {
  const env = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
  for (const add of [addTexts, addLists, addQuantities, addNetworks, addUrls, addFormats]) add(env)
  return env
}

let language: Environment | undefined
/** The language without variables; what knows their types adds them. Made when it is needed first. */
export const languageOnly = (): Environment => (language ??= build()).clone()

let evaluating: Environment | undefined
/** One for all rules that are evaluated: what self is, its value tells. */
export const environment = (): Environment => evaluating ??= languageOnly().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn')
