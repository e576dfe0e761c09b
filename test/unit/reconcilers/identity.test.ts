import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Owner, type Ownership, computedMac, computedUUID, describeOwner, installationUUID, libvirtName, ownerOf, ownership, renderOwner, uuidV5 } from '../../../reconcilers/identity.ts'
import { el, parseXml, serializeXml } from '../../../xml/tree.ts'

describe('the installation', () => {
  test('is a UUID as it stands, or is computed from a name', () => {
    expect(installationUUID('6F1C2D3E-0000-5000-8000-000000000001')).toBe('6f1c2d3e-0000-5000-8000-000000000001')
    expect(installationUUID('lab')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(installationUUID('lab')).toBe(installationUUID('lab'))
    expect(installationUUID('lab')).not.toBe(installationUUID('Lab'))
  })

  test.each(['', ' ', 'x'.repeat(254)])('is not %j', text => {
    expect(() => installationUUID(text)).toThrow(/^--installation is a UUID, or a name of 1 to 253 characters/)
  })
})

describe('uuidV5', () => {
  // RFC 4122, appendix C names the namespaces; RFC 9562, appendix A.4 gives the first vector.
  const DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'
  test.each([
    [DNS, 'www.example.com', '2ed6657d-e927-568b-95e1-2665a8aea6a2'],
    [DNS, 'python.org', '886313e1-3b8a-5372-9b90-0c9aee199e5d'],
    ['6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'http://python.org/', '4c565f0d-3f5a-5890-b41b-20cf47701c5e'],
    ['6ba7b812-9dad-11d1-80b4-00c04fd430c8', '1.3.6.1', '1447fa61-5277-5fef-a9b3-fbc6e44f4af3'],
    ['6ba7b814-9dad-11d1-80b4-00c04fd430c8', 'c=ca', 'cc957dd1-a972-5349-98cd-874190002798'],
  ])('%s and %s', (namespace, name, uuid) => { expect(uuidV5(namespace, name)).toBe(uuid) })

  test('is a UUID of version 5 in RFC 4122\'s variant, whatever the name', () => {
    fc.assert(fc.property(fc.uuid(), fc.string({ unit: 'binary' }), (namespace, name) => {
      expect(uuidV5(namespace, name)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }))
  })

  test('refuses a namespace that is none', () => { expect(() => uuidV5('vireo', 'x')).toThrow(/"vireo" is not a UUID/) })
})

describe('identities', () => {
  const installation = '11111111-1111-4111-8111-111111111111'
  test('are the same on every controller, and different for whatever differs', () => {
    const triple = fc.tuple(fc.constantFrom('VirtualDomain', 'VirtualNetwork', 'StoragePool'), fc.stringMatching(/^[a-z0-9-]{1,8}$/), fc.stringMatching(/^[a-z0-9.-]{1,8}$/))
    fc.assert(fc.property(triple, triple, (a, b) => {
      expect(computedUUID(installation, ...a)).toBe(computedUUID(installation, ...a))
      expect(computedUUID(installation, ...a) === computedUUID(installation, ...b)).toBe(a.join('/') === b.join('/'))
      expect(computedUUID('22222222-2222-4222-8222-222222222222', ...a)).not.toBe(computedUUID(installation, ...a))
    }))
  })

  test('never change from one release to the next', () => {
    expect(computedUUID(installation, 'VirtualDomain', 'default', 'web')).toBe(uuidV5(installation, 'VirtualDomain/default/web'))
    expect(computedUUID(installation, 'VirtualDomain', 'default', 'web')).toBe('e664c81d-e815-5bb0-bffa-3b9aeb29972b')
    expect(computedMac('6f1c2d3e-0000-5000-8000-000000000001', 'lan')).toBe('52:54:00:e6:f9:07')
  })

  test.each<[Parameters<typeof libvirtName>, string]>([
    [['Auto', 'default', 'web'], 'web'], [['Auto', 'shop', 'web'], 'shop.web'], [[undefined, 'default', 'web'], 'web'], [[undefined, 'shop', 'web'], 'shop.web'],
    [['Name', 'shop', 'web'], 'web'], [['NamespaceName', 'default', 'web'], 'default.web'], [['NamespaceName', 'shop', 'web'], 'shop.web'],
  ])('the name on the host of %j is %s', (from, name) => { expect(libvirtName(...from)).toBe(name) })

  test('a MAC address is a unicast one in QEMU\'s range', () => {
    fc.assert(fc.property(fc.uuid(), fc.string(), (uuid, name) => { expect(computedMac(uuid, name)).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/) }))
  })
})

describe('ownership', () => {
  const self: Owner = { installation: 'i', cluster: 'c', namespace: 'n', name: 'o', uid: 'u', released: false }
  const found = (fields: Partial<Owner>): Owner => ({ ...self, ...fields })
  test.each<[string, Owner | undefined, Ownership]>([
    ['no mark', undefined, 'Foreign'],
    ['ours', found({}), 'Ours'],
    ['the cluster was rebuilt from Git', found({ cluster: 'x', uid: 'x' }), 'Rebuilt'],
    ['the cluster was rebuilt and its UID is by chance the same', found({ cluster: 'x' }), 'Rebuilt'],
    ['the object was deleted and made again', found({ uid: 'x' }), 'Remade'],
    ['we released it', found({ released: true }), 'Remade'],
    ['a cluster that is no more released it', found({ cluster: 'x', uid: 'x', released: true }), 'Remade'],
    ['another object\'s', found({ name: 'x' }), 'Others'],
    ['another namespace\'s', found({ namespace: 'x' }), 'Others'],
    ['another installation\'s', found({ installation: 'x' }), 'Others'],
    ['another installation\'s of the same cluster and UID', found({ installation: 'x', cluster: 'c', uid: 'u' }), 'Others'],
    ['another object\'s, released', found({ name: 'x', released: true }), 'Foreign'],
    ['another installation\'s, released', found({ installation: 'x', released: true }), 'Foreign'],
    ['an empty mark', found({ installation: '', cluster: '', namespace: '', name: '', uid: '' }), 'Others'],
  ])('%s', (_, mark, wanted) => { expect(ownership(mark, self)).toBe(wanted) })

  test('only what carries our own mark is Ours, or taken over without being asked for', () => {
    const part = fc.constantFrom('i', 'c', 'n', 'o', 'u', 'x', '')
    fc.assert(fc.property(fc.record({ installation: part, cluster: part, namespace: part, name: part, uid: part, released: fc.boolean() }), mark => {
      const answer = ownership(mark, self)
      if (answer === 'Ours' || answer === 'Rebuilt') expect([mark.installation, mark.namespace, mark.name, mark.released]).toEqual(['i', 'n', 'o', false])
      if (answer === 'Ours') expect([mark.cluster, mark.uid]).toEqual(['c', 'u'])
    }), { numRuns: 1000 })
  })

  test('a mark comes back from a document as it was written', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map(value => value.replaceAll(/[^\P{C}]/gu, ''))
    fc.assert(fc.property(fc.record({ installation: text, cluster: text, namespace: text, name: text, uid: text, released: fc.boolean() }), owner => {
      const document = parseXml(serializeXml(el('domain', {}, el('metadata', {}, el('other:x', { 'xmlns:other': 'https://x.example' }), renderOwner(owner)))))
      expect(ownerOf(document)).toEqual(owner)
    }))
  })

  test('there is none in a document without it', () => { expect(ownerOf(parseXml('<domain><metadata/></domain>'))).toBeUndefined() })

  test.each<[Owner | undefined, RegExp]>([
    [undefined, /vireo did not create it/],
    [found({}), /belongs to n\/o of installation i$/],
    [found({ released: true }), /released it/],
    [found({ installation: '' }), /another installation/],
  ])('whose it is, in words: %#', (owner, words) => { expect(describeOwner(owner)).toMatch(words) })
})
