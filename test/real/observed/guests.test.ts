// What a real daemon answers of guests' addresses: its test driver tells some of every interface, whoever asks.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../clock/clock.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { GuestWatch } from '../../../observed/guests.ts'
import { Host } from '../../../observed/host.ts'
import { type PrivateLibvirtd, startLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'

const MAC = '52:54:00:aa:bb:0c'

let libvirtd: PrivateLibvirtd
let host: Host
const calls: string[] = []

beforeAll(async () => {
  libvirtd = await startLibvirtd({ name: 'guests' })
  host = new Host({
    uri: libvirtd.uri('test:///default'), open: (uri, options) => createRegistry({}, { allowLocal: true }).open(uri, options), clock: systemClock, onCall: ({ procedure }) => { calls.push(procedure) },
    maxConnections: 2, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 30_000, relistInterval: 600_000,
  })
  host.start()
  await until('the host is open', () => host.state === 'Open')
})
afterAll(async () => {
  await host?.close()
  await libvirtd?.stop()
})

test('the address of an interface on a bridge is told by ARP, asked for when the guest starts and then left alone', async () => {
  const watch = new GuestWatch({ host, clock: systemClock, leased: () => false, again: 600_000 })
  const told: string[] = []
  watch.onChange(uuid => told.push(uuid))
  const { uuid } = await host.use().domainCreateXML(`<domain type='test'><name>bridged</name><memory>65536</memory><os><type>hvm</type></os>
    <devices><interface type='bridge'><mac address='${MAC}'/><source bridge='br0'/></interface></devices></domain>`, 0)
  await until('the address is told', () => told.length > 0)
  expect(told).toEqual([uuid])
  expect(watch.factsOf(uuid)?.byARP.get(MAC)).toEqual([{ address: expect.stringMatching(/^192\.168\.0\.\d+$/), prefix: 24, source: 'ARP' }])
  await host.refresh(`domain/${uuid}`)
  expect(calls.filter(call => call === 'domainInterfaceAddresses')).toHaveLength(1)
  watch.close()
})
