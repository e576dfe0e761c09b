// One valid call of every operation that the operator relies on, for drivers that cannot run the whole suite: their guests, networks and storage are too different.

import { Affect, CreateFlags, XMLFlags, type Connection, type DomainRef } from '../../../drivers/driver.ts'
import type { Operation } from '../../../drivers/test/faults.ts'

/** A guest that is off and one that runs, and documents of others. */
export interface Guests {
  off: DomainRef
  on: DomainRef
  /** The document of `off`. */
  document: string
  /** A document of a guest that is not there yet; another one each time. */
  another(): Promise<string>
  /** Starts a guest; resolves once it can be asked to do something. */
  start(dom: DomainRef): Promise<DomainRef>
}

type Call = (c: Connection, guests: Guests) => Promise<unknown>

/** Starts a guest of its own for a call that ends it or changes what it is. */
const withRunning = (use: (c: Connection, dom: DomainRef) => Promise<unknown>): Call => async (c, { another, start }) => {
  const dom = await start(await c.domainDefineXMLFlags(await another(), 0))
  try {
    await use(c, dom)
  } finally {
    await c.domainDestroyFlags(dom, 0).catch(() => undefined)
    await c.domainUndefineFlags(dom, 0).catch(() => undefined)
  }
}
const withDefined = (use: (c: Connection, dom: DomainRef) => Promise<unknown>): Call => async (c, { another }) => {
  const dom = await c.domainDefineXMLFlags(await another(), 0)
  try {
    await use(c, dom)
  } finally {
    await c.domainUndefineFlags(dom, 0).catch(() => undefined)
  }
}

/** The key is the operation, with what is asked of it where that makes a difference. */
export const calls: { [Asked in Operation | `${Operation}, ${string}`]?: Call } = {
  connectGetType: c => c.connectGetType(),
  connectGetVersion: c => c.connectGetVersion(),
  connectGetHostname: c => c.connectGetHostname(),
  connectGetCapabilities: c => c.connectGetCapabilities(),
  connectGetDomainCapabilities: c => c.connectGetDomainCapabilities(null, null, null, null),
  nodeGetInfo: c => c.nodeGetInfo(),
  connectListAllDomains: c => c.connectListAllDomains(),
  connectGetAllDomainStats: c => c.connectGetAllDomainStats(0),
  connectListAllNetworks: c => c.connectListAllNetworks(),
  connectListAllStoragePools: c => c.connectListAllStoragePools(),
  domainLookupByName: (c, { on }) => c.domainLookupByName(on.name),
  domainLookupByUUID: (c, { on }) => c.domainLookupByUUID(on.uuid),
  domainLookupByID: (c, { on }) => c.domainLookupByID(on.id),
  domainGetXMLDesc: (c, { on }) => c.domainGetXMLDesc(on, 0),
  'domainGetXMLDesc, inactive': (c, { on }) => c.domainGetXMLDesc(on, XMLFlags.INACTIVE | XMLFlags.SECURE),
  domainGetState: (c, { on }) => c.domainGetState(on),
  domainGetInfo: (c, { on }) => c.domainGetInfo(on),
  domainIsPersistent: (c, { on }) => c.domainIsPersistent(on),
  domainGetAutostart: (c, { off }) => c.domainGetAutostart(off),
  domainSetAutostart: (c, { off }) => c.domainSetAutostart(off, true),
  domainMemoryStats: (c, { on }) => c.domainMemoryStats(on),
  domainInterfaceAddresses: (c, { on }) => c.domainInterfaceAddresses(on, 0),
  domainDefineXMLFlags: withDefined(() => Promise.resolve()),
  'domainDefineXMLFlags, of one that is there': (c, { document }) => c.domainDefineXMLFlags(document, 0),
  domainUndefineFlags: async (c, { another }) => await c.domainUndefineFlags(await c.domainDefineXMLFlags(await another(), 0), 0),
  domainCreateWithFlags: withRunning(() => Promise.resolve()),
  'domainCreateWithFlags, paused': async (c, { another }) => {
    const dom = await c.domainCreateWithFlags(await c.domainDefineXMLFlags(await another(), 0), CreateFlags.PAUSED)
    await c.domainDestroyFlags(dom, 0)
    await c.domainUndefineFlags(dom, 0)
  },
  domainCreateXML: async (c, { another }) => await c.domainDestroyFlags(await c.domainCreateXML(await another(), 0), 0),
  domainShutdownFlags: withRunning((c, dom) => c.domainShutdownFlags(dom, 0)),
  domainDestroyFlags: withRunning((c, dom) => c.domainDestroyFlags(dom, 0)),
  domainReboot: withRunning((c, dom) => c.domainReboot(dom, 0)),
  domainReset: withRunning((c, dom) => c.domainReset(dom)),
  domainSuspend: withRunning((c, dom) => c.domainSuspend(dom)),
  domainResume: withRunning(async (c, dom) => {
    await c.domainSuspend(dom)
    await c.domainResume(dom)
  }),
  domainHasManagedSaveImage: (c, { off }) => c.domainHasManagedSaveImage(off),
  'domainSetMemoryFlags, live': (c, { on }) => c.domainSetMemoryFlags(on, 65_536, Affect.LIVE),
  'domainSetMemoryFlags, staged': (c, { off }) => c.domainSetMemoryFlags(off, 65_536, Affect.CONFIG),
  'domainSetVcpusFlags, live': (c, { on }) => c.domainSetVcpusFlags(on, 1, Affect.LIVE),
  'domainSetVcpusFlags, staged': (c, { off }) => c.domainSetVcpusFlags(off, 1, Affect.CONFIG),
  'domainSetMetadata, a title': (c, { off }) => c.domainSetMetadata(off, 1, 'a title', null, null, Affect.CONFIG),
  'domainSetMetadata, an element': (c, { off }) => c.domainSetMetadata(off, 2, '<v/>', 'v', 'https://vireo.dev/survey', Affect.CONFIG),
  domainRename: withDefined((c, dom) => c.domainRename(dom, `${dom.name}9`)),
  domainListAllSnapshots: (c, { off }) => c.domainListAllSnapshots(off, 0),
  domainSnapshotCreateXML: withDefined((c, dom) => c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>first</name></domainsnapshot>', 0)),
  domainOpenConsole: withRunning(async (c, dom) => await (await c.domainOpenConsole(dom, null, 0)).abort('seen')),
  domainScreenshot: withRunning(async (c, dom) => await (await c.domainScreenshot(dom, 0)).stream.abort('seen')),
  // Last, for it takes the guest that runs; a paravirtual one has to have booted for it.
  domainManagedSave: (c, { on }) => c.domainManagedSave(on, 0),
}
