// What a host holds at first: libvirt's own default node, nothing, or what a file in libvirt's format for its test driver describes.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DomainState } from '../driver.ts'
import { ConnectionLost, LibvirtError } from '../errors.ts'
import { attributeOf, childrenOf, elementsOf, serializeXml, textOf, type XmlElement } from '../../xml/tree.ts'
import { completeDomain } from './domain/definition.ts'
import { readRoot } from './document.ts'
import { completeNetwork } from './network/definition.ts'
import { From, Refusal, badXml } from './refusal.ts'
import { completePool } from './storage/pools.ts'
import type { World } from './world.ts'

/** The objects of libvirt's `test:///default`, under its names and UUIDs. */
const defaultNode = `<node>
<domain type='test'><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><memory>8388608</memory><currentMemory>2097152</currentMemory><vcpu>2</vcpu><os><type>hvm</type></os>
<devices><disk type='file' device='disk'><source file='/guest/diskimage1'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='aa:bb:cc:dd:ee:ff'/><source network='default'/></interface><memballoon model='virtio'/></devices></domain>
<network><name>default</name><uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid><bridge name='virbr0'/><forward/><ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>
<pool type='dir'><name>default-pool</name><uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid><target><path>/default-pool</path></target></pool>
</node>`

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const seedDefault = (world: World): void => fill(world, readRoot(defaultNode, 'node', 'node', From.TEST), new Map())

/** Rejects with ConnectionLost where the file cannot be read, with LibvirtError where libvirt would not open it. */
export async function seedFile(world: World, path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => { throw new ConnectionLost(`the test driver's file ${path} cannot be read: ${reason(cause)}`, { cause }) })
  try {
    const tree = readRoot(text, 'node', path, From.TEST)
    fill(world, tree, await included(tree, path))
  } catch (error) {
    if (error instanceof Refusal) throw new LibvirtError({ code: error.code, domain: error.domain, level: 2, message: `the test driver's file ${path}: ${error.message}`, procedure: 'connectOpen' })
    throw error
  }
}

/** An object may stand in a file of its own: `<domain file='other.xml'/>`, relative to the node's. */
async function included(node: XmlElement, path: string): Promise<Map<XmlElement, string>> {
  const texts = new Map<XmlElement, string>()
  for (const object of elementsOf(node)) {
    const file = attributeOf(object, 'file')
    if (file === undefined) continue
    const place = resolve(dirname(path), file)
    texts.set(object, await readFile(place, 'utf8').catch((cause: unknown) => { throw new ConnectionLost(`the test driver's file ${place}, which ${path} names, cannot be read: ${reason(cause)}`, { cause }) }))
  }
  return texts
}

/** Networks and pools first: the domains need them. All are started, unless a domain's `test:runstate` says otherwise. */
function fill(world: World, node: XmlElement, texts: Map<XmlElement, string>): void {
  const all = (name: string): XmlElement[] => childrenOf(node, name).map(object => (texts.has(object) ? readRoot(texts.get(object)!, name, `${name}_definition`, From.TEST) : object))
  for (const tree of all('network')) world.networks.create(world.networks.place(completeNetwork(tree, () => world.networks.freeBridge())))
  for (const tree of all('pool')) {
    const volumes = childrenOf(tree, 'volume')
    const pool = world.pools.place(completePool({ ...tree, children: tree.children.filter(child => typeof child === 'string' || child.name !== 'volume') }))
    world.pools.build(pool, 0)
    world.pools.create(pool)
    for (const volume of volumes) world.pools.createVolume(pool, serializeXml(volume), 0)
  }
  for (const tree of all('domain')) fillDomain(world, tree)
}

function fillDomain(world: World, tree: XmlElement): void {
  // The elements of libvirt's test namespace, under whatever prefix.
  const declared = Object.entries(tree.attributes).find(([name, value]) => name.startsWith('xmlns:') && value === 'http://libvirt.org/schemas/domain/test/1.0')?.[0]
  const namespace = declared?.slice('xmlns:'.length)
  const own = (name: string): string | undefined => {
    const found = namespace === undefined ? undefined : childrenOf(tree, `${namespace}:${name}`)[0]
    return found === undefined ? undefined : textOf(found)
  }
  const [transient, saved, runstate] = [own('transient') === '1', own('hasmanagedsave') === '1', Number(own('runstate') ?? DomainState.Running)]
  if (transient && runstate === DomainState.Shutoff) throw badXml("transient domain cannot have runstate 'shutoff'", From.TEST)
  if (declared !== undefined) delete tree.attributes[declared]
  const domain = world.domains.place(completeDomain(tree))
  if (runstate !== DomainState.Shutoff || saved) world.domains.create(domain, runstate === DomainState.Paused ? 1 : 0)
  if (saved) world.domains.managedSave(domain, 0)
  if (transient) world.domains.forget(domain)
}
