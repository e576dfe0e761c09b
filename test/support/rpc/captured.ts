// A conversation with a real libvirtd as it went over the wire: captured once, replayed without a daemon.
//
// To capture it anew: node test/support/rpc/captured.ts > test/unit/drivers/captured/libvirtd.json

import type { Connection, DriverEvent } from '../../../drivers/driver.ts'
import type { LibvirtError } from '../../../drivers/errors.ts'
import { openRemote } from '../../../drivers/remote/open.ts'
import type { Transport, TransportEvents } from '../../../drivers/remote/transport/transport.ts'
import { unixTransport } from '../../../drivers/remote/transport/unix.ts'
import { startLibvirtd } from '../libvirtd.ts'
import { quiet } from './scripted-peer.ts'

/** What was sent (`>`) and what arrived (`<`), in base64, in order. */
type Conversation = { direction: '>' | '<'; bytes: string }[]
export interface Capture { libvirt: string; conversation: Conversation; results: unknown }

const name = 'test:///default'
const document = `<domain type='test'><name>captured</name><uuid>11cb3135-9ff3-4719-87fe-434614bba6de</uuid><memory>65536</memory><os><type>hvm</type></os></domain>`

const refusal = async (call: Promise<unknown>): Promise<object> => {
  const { name, code, domain, level, message, procedure } = await call.then(() => { throw new Error('it succeeded') }, (error: unknown) => error as LibvirtError)
  return { name, code, domain, level, message, procedure }
}

/** One call after the other, so that the wire is the same each time; answers all that was learnt. */
const converse = async (c: Connection): Promise<unknown> => {
  const events: DriverEvent[] = []
  c.onEvent((event) => events.push(event))
  const classes = [...await c.eventsRegister()].toSorted()
  const defined = await c.domainDefineXMLFlags(document, 0)
  const started = await c.domainCreateWithFlags(defined, 0)
  const results = {
    classes, defined, started,
    libVersion: await c.connectGetLibVersion(), node: await c.nodeGetInfo(),
    domains: await c.connectListAllDomains(), networks: await c.connectListAllNetworks(), pools: await c.connectListAllStoragePools(),
    state: await c.domainGetState(started), xml: await c.domainGetXMLDesc(started, 0),
    addresses: await c.domainInterfaceAddresses((await c.domainLookupByName('test')), 0),
    stats: (await c.connectGetAllDomainStats(0)).map(({ dom, params }) => ({ dom, params: { ...params } })),
    cells: await c.nodeGetCellsFreeMemory(0, 2), cpus: await c.nodeGetCPUMap(), cpuStats: await c.nodeGetCPUStats(-1), security: await c.nodeGetSecurityModel(),
    devices: await c.connectListAllNodeDevices(), interfaces: await c.connectListAllInterfaces(),
    vcpus: await c.domainGetVcpus(started, 1, 16), pins: await c.domainGetVcpuPinInfo(started, 1, 16, 0), emulator: await c.domainGetEmulatorPinInfo(started, 16, 0),
    filesystems: await c.domainGetFSInfo(started), label: await c.domainGetSecurityLabel(started), memory: await c.domainMemoryStats(await c.domainLookupByName('test')),
    tunables: [await c.domainGetMemoryParameters(started, 0), await c.domainGetNumaParameters(started, 0), await c.domainGetBlkioParameters(started, 0)].map((params) => ({ ...params })),
    absent: await refusal(c.domainLookupByName('nobody')), lacking: await refusal(c.domainGetJobInfo(started)),
  }
  await c.domainDestroyFlags(started, 0)
  await c.domainUndefineFlags(defined, 0)
  await c.connectIsAlive()
  return { ...results, events }
}

const capturing = (transport: Transport, into: Conversation): Transport => {
  const note = (direction: '>' | '<', bytes: Uint8Array) => into.push({ direction, bytes: Buffer.from(bytes).toString('base64') })
  return {
    ...transport,
    open: ({ data, end }, signal) => transport.open({ data: (chunk) => { note('<', chunk); data(chunk) }, end }, signal),
    write: (bytes, taken) => { note('>', bytes); transport.write(bytes, taken) },
  }
}

/** Answers as the host did, as long as the client says what it said then. */
const replaying = (conversation: Conversation): Transport => {
  const rest = conversation.slice()
  let events: TransportEvents | null = null
  const arrive = (): void => {
    while (rest[0]?.direction === '<') events?.data(Buffer.from(rest.shift()!.bytes, 'base64'))
  }
  return {
    peer: '/captured',
    open: (to) => { events = to; return Promise.resolve() },
    write: (bytes) => {
      const expected = rest.shift()
      const said = Buffer.from(bytes).toString('base64')
      if (expected?.bytes !== said) throw new Error(`the client says ${said} where it said ${expected?.bytes}`)
      setImmediate(arrive)
    },
    pause: () => {}, resume: () => {}, close: () => {},
  }
}

/** One connection carries all of it: an unhurried one has none beside it for storage. */
const alone = { ...quiet, unhurried: true }

export const replay = async ({ conversation }: Capture): Promise<unknown> => converse(await openRemote({ name, transports: [() => replaying(conversation)] }, alone))

if (import.meta.main) {
  await using host = await startLibvirtd({ name: 'capture' })
  const conversation: Conversation = []
  const connection = await openRemote({ name, transports: [() => capturing(unixTransport(host.socket), conversation)] }, alone)
  const results = await converse(connection)
  const capture: Capture = { libvirt: String(await connection.connectGetLibVersion()), conversation, results }
  await connection.close()
  console.log(JSON.stringify(capture, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value), 1))
}
