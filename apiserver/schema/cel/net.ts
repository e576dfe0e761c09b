// IP addresses and networks, as rules compare them (Kubernetes' CEL libraries ip and cidr, after Go's net/netip).

import { isIPv4, isIPv6 } from 'node:net'

/** An address: its family, and its number. */
export class Address {
  readonly family: 4 | 6
  readonly number: bigint

  constructor(family: 4 | 6, number: bigint) {
    this.family = family
    this.number = number
  }

  /** The address, or a sentence why it is none. Neither zones nor IPv4-mapped addresses are taken. */
  static parse(text: string): Address | string {
    const quoted = JSON.stringify(text)
    if (isIPv4(text)) return new Address(4, text.split('.').reduce((sum, part) => sum << 8n | BigInt(part), 0n))
    if (!isIPv6(text)) return `IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): ${problemOf(text)}`
    if (text.includes('%')) return `IP address ${quoted} with zone value is not allowed`
    const number = numberOf(text)
    return number >> 32n === 0xffffn ? `IPv4-mapped IPv6 address ${quoted} is not allowed` : new Address(6, number)
  }

  get bits(): number { return this.family === 4 ? 32 : 128 }
  equals(other: Address): boolean { return this.family === other.family && this.number === other.number }
  #top(bits: number): bigint { return this.number >> BigInt(this.bits - bits) }

  get isUnspecified(): boolean { return this.number === 0n }
  get isLoopback(): boolean { return this.family === 4 ? this.#top(8) === 127n : this.number === 1n }
  get isLinkLocalUnicast(): boolean { return this.family === 4 ? this.#top(16) === 0xa9fen : this.#top(10) === 0x3fan }
  get isLinkLocalMulticast(): boolean { return this.family === 4 ? this.#top(24) === 0xe00000n : this.#top(8) === 0xffn && (this.#top(16) & 0xfn) === 2n }
  get isMulticast(): boolean { return this.family === 4 ? this.#top(4) === 0xen : this.#top(8) === 0xffn }
  get isGlobalUnicast(): boolean {
    return !(this.family === 4 && this.number === 0xffffffffn) && !this.isUnspecified && !this.isLoopback && !this.isMulticast && !this.isLinkLocalUnicast
  }

  /** RFC 5952: the shortest form. */
  toString(): string {
    if (this.family === 4) return [24n, 16n, 8n, 0n].map(shift => String(this.number >> shift & 0xffn)).join('.')
    const words = Array.from({ length: 8 }, (_, i) => (this.number >> BigInt(16 * (7 - i)) & 0xffffn).toString(16))
    let longest = { start: 0, length: 1 }
    for (let start = 0; start < 8; start++) {
      let length = 0
      while (words[start + length] === '0') length++
      if (length > longest.length) longest = { start, length }
    }
    if (longest.length === 1) return words.join(':')
    return `${words.slice(0, longest.start).join(':')}::${words.slice(longest.start + longest.length).join(':')}`
  }
}

/** Why a text is no address, as Go's net/netip says it of IPv4. */
function problemOf(text: string): string {
  if (text.search(/[.:]/) < 0 || !text.slice(0, text.search(/[.:]/) + 1).endsWith('.')) return 'unable to parse IP'
  const fields = text.split('.')
  for (const [i, field] of fields.entries()) {
    if (field === '') return `IPv4 field must have at least one digit (at ${JSON.stringify(fields.slice(i).join('.'))})`
    if (!/^\d+$/.test(field)) return `unexpected character (at ${JSON.stringify(text.slice(text.search(/[^\d.]/)))})`
    if (field.length > 1 && field.startsWith('0')) return 'IPv4 field has octet with leading zero'
    if (Number(field) > 255) return 'IPv4 field has value >255'
    if (i === 3 && fields.length > 4) return 'IPv4 address too long'
  }
  return 'IPv4 address too short'
}

function numberOf(text: string): bigint {
  const dotted = /^(.*:)(\d+[.]\d+[.]\d+[.]\d+)$/.exec(text)
  if (dotted) {
    const [a, b, c, d] = dotted[2]!.split('.').map(Number) as [number, number, number, number]
    return numberOf(`${dotted[1]}${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`)
  }
  const [head = '', tail] = text.split('::')
  const words = (part: string): string[] => part === '' ? [] : part.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - words(head).length - words(tail).length }, () => '0')
  return [...words(head), ...zeros, ...words(tail ?? '')].reduce((sum, word) => sum << 16n | BigInt(`0x${word}`), 0n)
}

/** An address with the length of its network's prefix; host bits stay. */
export class Network {
  readonly address: Address
  readonly prefix: number

  constructor(address: Address, prefix: number) {
    this.address = address
    this.prefix = prefix
  }

  /** The network, or a sentence why it is none. */
  static parse(text: string): Network | string {
    const slash = text.lastIndexOf('/')
    const length = text.slice(slash + 1)
    const address = slash < 0 ? '' : Address.parse(text.slice(0, slash))
    if (typeof address === 'string' || !/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > address.bits) {
      if (typeof address === 'string' && address.startsWith('IPv4-mapped')) return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`
      return `network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): unable to parse`
    }
    return new Network(address, Number(length))
  }

  get #shift(): bigint { return BigInt(this.address.bits - this.prefix) }
  get masked(): Network { return new Network(new Address(this.address.family, this.address.number >> this.#shift << this.#shift), this.prefix) }
  contains(address: Address): boolean { return address.family === this.address.family && address.number >> this.#shift === this.address.number >> this.#shift }
  containsNetwork(other: Network): boolean { return other.prefix >= this.prefix && this.contains(other.masked.address) }
  equals(other: Network): boolean { return this.prefix === other.prefix && this.address.equals(other.address) }
  toString(): string { return `${this.address.toString()}/${this.prefix}` }
}
