// Which host a URI means, what is on it at first, and how long it lives.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DomainState, type Connection } from '../../../../drivers/driver.ts'
import { ConnectionLost, LibvirtError, UriError } from '../../../../drivers/errors.ts'
import { TestDriver } from '../../../../drivers/test/driver.ts'
import { childOf, parseXml, textOf } from '../../../../xml/tree.ts'

const settings = { callTimeout: 30_000, keepAliveInterval: 5000, keepAliveCount: 3 }
const failure = (call: Promise<unknown>): Promise<unknown> => call.then(value => { throw new Error(`it answered ${JSON.stringify(value)}`) }, (error: unknown) => error)
const names = async (c: Connection): Promise<string[]> => [...await c.connectListAllDomains(), ...await c.connectListAllNetworks(), ...await c.connectListAllStoragePools()].map(({ name }) => name)

describe('names', () => {
  test('default holds the objects of libvirt\'s own test:///default, under its UUIDs', async () => {
    const c = await new TestDriver().open('test:///default', settings)
    expect(await c.connectListAllDomains()).toEqual([{ name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }])
    expect(await c.connectListAllNetworks()).toEqual([{ name: 'default', uuid: 'dd8fe884-6c02-601e-7551-cca97df1c5df' }])
    expect(await c.connectListAllStoragePools()).toEqual([{ name: 'default-pool', uuid: 'dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566' }])
    expect(await c.domainGetInfo((await c.connectListAllDomains())[0]!)).toMatchObject({ state: DomainState.Running, maxMem: 8_388_608, memory: 2_097_152, nrVirtCpu: 2 })
  })

  test('any other name is an empty host, the same for all its connections and none of the others', async () => {
    const driver = new TestDriver()
    const [one, same, other] = [await driver.open('test:///one', settings), await driver.open('test:///one', settings), await driver.open('test:///other', settings)]
    await one.networkDefineXML('<network><name>lab</name></network>')
    expect([await names(one), await names(same), await names(other)]).toEqual([['lab'], ['lab'], []])
    expect(await names(await new TestDriver().open('test:///one', settings))).toEqual([])
  })

  test('a host outlives its connections', async () => {
    const driver = new TestDriver()
    const first = await driver.open('test:///kept', settings)
    await first.networkDefineXML('<network><name>lab</name></network>')
    await first.close()
    expect(await names(await driver.open('test:///kept', settings))).toEqual(['lab'])
  })

  test('a host is known by its UUID, which its name decides', async () => {
    const uuidOf = async (uri: string): Promise<string> => textOf(childOf(parseXml(await (await new TestDriver().open(uri, settings)).connectGetCapabilities()), 'host', 'uuid'))
    expect(await uuidOf('test:///one')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(await uuidOf('test:///one')).toBe(await uuidOf('test:///one'))
    expect(await uuidOf('test:///one')).not.toBe(await uuidOf('test:///other'))
  })

  test('a URI without a name is refused, and an opening that is aborted opens nothing', async () => {
    expect(await failure(new TestDriver().open('test:///', settings))).toBeInstanceOf(UriError)
    expect(await failure(new TestDriver().open('test:///x', { ...settings, signal: AbortSignal.abort(new Error('no longer wanted')) }))).toMatchObject({ message: 'no longer wanted' })
  })
})

describe('files', () => {
  let folder: string
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'vireo-node-')) })
  afterAll(async () => { await rm(folder, { recursive: true }) })
  const domain = (name: string, inner = ''): string => `<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>${name}</name><memory>65536</memory><os><type>hvm</type></os>${inner}</domain>`
  const open = async (name: string, text: string): Promise<Connection> => {
    await writeFile(join(folder, name), text)
    return await new TestDriver().open(`test://${join(folder, name)}`, settings)
  }

  test('what libvirt\'s format describes is there: running unless it says otherwise, networks and pools started, volumes in their pools', async () => {
    await writeFile(join(folder, 'apart.xml'), domain('apart'))
    const c = await open('node.xml', `<node><cpu><mhz>3000</mhz></cpu>${domain('on')}${domain('off', '<test:runstate>5</test:runstate>')}${domain('still', '<test:runstate>3</test:runstate>')}${domain('once', '<test:transient>1</test:transient>')}
      ${domain('saved', '<test:hasmanagedsave>1</test:hasmanagedsave><test:runstate>5</test:runstate>')}<domain file='apart.xml'/>
      <network><name>lab</name><forward mode='nat'/><ip address='10.1.0.1' netmask='255.255.255.0'/></network>
      <pool type='dir'><name>images</name><target><path>/images</path></target><volume><name>root</name><capacity unit='MiB'>5</capacity></volume></pool></node>`)
    const found = await Promise.all((await c.connectListAllDomains()).map(async dom => [dom.name, (await c.domainGetState(dom)).state, await c.domainIsPersistent(dom), await c.domainHasManagedSaveImage(dom)]))
    expect(found).toEqual([
      ['on', DomainState.Running, true, false], ['off', DomainState.Shutoff, true, false], ['still', DomainState.Paused, true, false], ['once', DomainState.Running, false, false], ['saved', DomainState.Shutoff, true, true], ['apart', DomainState.Running, true, false],
    ])
    expect(await c.domainGetXMLDesc((await c.connectListAllDomains())[1]!, 0)).not.toContain('runstate')
    const [lab] = await c.connectListAllNetworks()
    expect(await c.networkIsActive(lab!)).toBe(true)
    expect(await c.storageVolGetInfo(await c.storageVolLookupByPath('/images/root'))).toMatchObject({ capacity: 5 * 2 ** 20 })
  })

  test('a file that is not there is ConnectionLost with its path, and is read when it is there', async () => {
    const driver = new TestDriver()
    const path = join(folder, 'late.xml')
    const reason = await failure(driver.open(`test://${path}`, settings)) as Error
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect(reason.message).toContain(path)
    await writeFile(path, `<node>${domain('late')}</node>`)
    expect(await names(await driver.open(`test://${path}`, settings))).toEqual(['late'])
  })

  test.each([['no XML', '<node'], ['another root', '<domain/>'], ['a domain that libvirt would refuse', `<node>${domain('a/b')}</node>`], ['a transient domain that is off', `<node>${domain('x', '<test:transient>1</test:transient><test:runstate>5</test:runstate>')}</node>`]])('%s is refused with libvirt\'s code and the path', async (_what, text) => {
    const reason = await failure(open('bad.xml', text)) as LibvirtError
    expect(reason).toBeInstanceOf(LibvirtError)
    expect(reason.message).toContain('bad.xml')
    expect(reason.procedure).toBe('connectOpen')
  })
})
