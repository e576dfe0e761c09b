// Which addresses images are fetched from: the controller stands where those who write the URLs do not.

import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, type LookupFunction, isIP } from 'node:net'
import { Agent, type Dispatcher } from 'undici'

/** The controller's own machine, its link (where clouds tell a machine its credentials), and what clouds have for that elsewhere. */
const CLOSED = [
  '0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255', '::', '::1', 'fe80::/10', 'ff00::/8',
  // Metadata services: Alibaba, Oracle, Azure, AWS and Google over IPv6.
  '100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254',
]

/** Thrown (as the cause of a failed request) where a name leads to a closed address. */
export class ClosedAddress extends Error {
  override readonly name = 'ClosedAddress'
  readonly address: string
  constructor(address: string) {
    super(`${address} is an address that vireo fetches nothing from`)
    this.address = address
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix, more] = range.split('/')
    const most = isIP(address) === 6 ? 128 : 32
    if (isIP(address) === 0 || more !== undefined || (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= most))) {
      throw new TypeError(`${JSON.stringify(range)} is no range of addresses: write one such as 127.0.0.0/8 or fd00:1::5`)
    }
    list.addSubnet(address, Number(prefix ?? most), familyOf(address))
  }
  return list
}

const closed = listOf(CLOSED)

/** `allowed`: ranges that are open nonetheless, as the operator of the controller says. Throws TypeError with a sentence. */
export class SourceReach {
  readonly #allowed: BlockList
  /** Looks at each address that a name leads to when the connection is made: what it led to before proves nothing. */
  readonly dispatcher: Dispatcher

  constructor(allowed: readonly string[] = []) {
    this.#allowed = listOf(allowed)
    this.dispatcher = new Agent({ connect: { lookup: this.#lookup } })
  }

  isOpen(address: string): boolean {
    const family = familyOf(address)
    return this.#allowed.check(address, family) || !closed.check(address, family)
  }

  /** An address in a URL is not looked up. Throws ClosedAddress. */
  checkHost(hostname: string): void {
    const address = hostname.replace(/^\[|\]$/g, '')
    if (isIP(address) !== 0 && !this.isOpen(address)) throw new ClosedAddress(address)
  }

  readonly #lookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => {
      const open = error === null ? found.filter(({ address }) => this.isOpen(address)) : []
      const [first] = open
      if (error !== null) callback(error, [])
      else if (first === undefined) callback(new ClosedAddress(found[0]?.address ?? hostname), [])
      else if (options.all) callback(null, open)
      else callback(null, first.address, first.family)
    })
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy()
  }
}
