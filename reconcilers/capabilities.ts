// What a host's capabilities say about guests: architectures, domain types, machines.

import { attributeOf, childOf, childrenOf, parseXml, textOf } from '../xml/tree.ts'

export interface GuestCapability { osType: string; arch: string; types: string[]; machines: string[] }

const cache = new WeakMap<object, GuestCapability[]>()

/** Parsed once per connection: `facts` is the record that the connection keeps. */
export function guestsOf(facts: { capabilities: string }): GuestCapability[] {
  const known = cache.get(facts)
  if (known !== undefined) return known
  const guests = facts.capabilities === '' ? [] : childrenOf(parseXml(facts.capabilities), 'guest').map(guest => {
    const arch = childOf(guest, 'arch')
    const machines = childrenOf(arch, 'machine').flatMap(machine => [attributeOf(machine, 'canonical') ?? '', textOf(machine)])
    return {
      osType: textOf(childOf(guest, 'os_type')),
      arch: attributeOf(arch, 'name') ?? '',
      types: [...new Set(childrenOf(arch, 'domain').map(domain => attributeOf(domain, 'type') ?? ''))],
      machines: [...new Set([...machines, ...childrenOf(arch, 'domain').flatMap(domain => childrenOf(domain, 'machine').map(textOf))])].filter(machine => machine !== ''),
    }
  })
  cache.set(facts, guests)
  return guests
}

/** The host's own architecture. */
export const hostArch = (facts: { capabilities: string }): string | undefined => /<cpu>\s*<arch>([^<]+)</.exec(facts.capabilities)?.[1]
