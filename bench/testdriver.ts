// bench/testdriver: domains defined and started on the embedded test driver, beside libvirtd's own test driver, and the memory that many take.
import type { Connection } from '../drivers/driver.ts'
import { TestDriver } from '../drivers/test/driver.ts'
import { startLibvirtd } from '../test/support/libvirtd.ts'
import { connect, forEachLimit, median } from './support.ts'
import type { BenchResult, Row } from './support.ts'

/** As vireo renders one: an owner, a disk, an interface. Both drivers parse it. */
const document = (name: string): string => `<domain type='test'><name>${name}</name><metadata><vireo:owner xmlns:vireo='https://vireo.dev/ownership' installation='6f1c2d3e-0000-5000-8000-000000000001' namespace='default' name='${name}' uid='6f1c2d3e-0000-5000-8000-000000000002'/></metadata>
<memory unit='MiB'>64</memory><vcpu placement='static' current='1'>4</vcpu><os><type>hvm</type><boot dev='hd'/></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/guest/${name}'/><target dev='vda' bus='virtio'/><alias name='ua-disk-root'/></disk>
<interface type='user'><model type='virtio'/><alias name='ua-interface-lan'/></interface></devices></domain>`

/** Four calls are in flight at most, as on a connection of vireo's. Answers domains a second. */
async function defineAndStart(connection: Connection, names: readonly string[]): Promise<number> {
  const since = performance.now()
  await forEachLimit(names, 4, async name => {
    const dom = await connection.domainDefineXMLFlags(document(name), 0)
    await connection.domainCreateWithFlags(dom, 0)
  })
  return names.length / (performance.now() - since) * 1000
}

const named = (what: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${what}-${i}`)

const settings = { callTimeout: 60_000, keepAliveInterval: 5_000, keepAliveCount: 12 }

/** Many running domains at once, before anything else has grown this process. */
async function crowd(driver: TestDriver, count: number): Promise<Row[]> {
  const connection = await driver.open('test:///crowd', settings)
  const rate = await defineAndStart(connection, named('vm', count))
  const { rss } = process.memoryUsage()
  const since = performance.now()
  const { length } = await connection.connectGetAllDomainStats(0)
  const statistics = performance.now() - since
  await connection.close()
  return [
    { what: `embedded, domains a second up to ${count}`, value: Math.round(rate) },
    { what: `memory of the process that holds ${count} running domains, MB`, value: Math.round(rss / 1e6) },
    { what: `statistics of ${length} domains, ms`, value: Math.round(statistics) },
  ]
}

export async function benchTestDriver({ count = 2_000, rounds = 3 } = {}): Promise<BenchResult> {
  const embedded = new TestDriver()
  const crowded = await crowd(embedded, 100_000)
  const ours: number[] = []
  const theirs: number[] = []
  await using host = await startLibvirtd({ name: 'bench' })
  for (let round = 0; round < rounds; round++) {
    const here = await embedded.open(`test:///round-${round}`, settings)
    ours.push(await defineAndStart(here, named('vm', count)))
    await here.close()
    // libvirt's test driver forgets everything with its last connection.
    const there = await connect(host.uri('test:///default'))
    theirs.push(await defineAndStart(there, named('vm', count)))
    await there.close()
  }
  return {
    name: 'testdriver',
    about: `${count} domains defined and started, the XML parsed, four calls in flight, median of ${rounds} rounds: the embedded test driver beside libvirtd's`,
    ratio: median(ours) / median(theirs),
    rows: [{ what: 'embedded, domains a second', value: Math.round(median(ours)) }, { what: 'libvirtd, domains a second', value: Math.round(median(theirs)) }, ...crowded],
  }
}
