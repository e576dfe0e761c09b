// Opens connections to hosts in memory: test:///default, test:///path/to/file.xml, test:///any-name. Needs no daemon.
//
// A host lives as long as this driver object, whether anybody is connected or not: a controller that loses a connection and
// opens another finds what it made. (libvirt's own test driver forgets a host with its last connection.) Nothing outlives the process.

import { systemClock, type Clock } from '../../clock/clock.ts'
import type { Connection, Driver, OpenOptions } from '../driver.ts'
import { UriError } from '../errors.ts'
import { parseURI } from '../uri.ts'
import { testConnection } from './connection.ts'
import { Faults } from './faults.ts'
import { seedDefault, seedFile } from './seed.ts'
import { World } from './world.ts'

export interface TestDriverParts {
  clock?: Clock
  /** For tests: what goes wrong on every host of this driver. */
  faults?: Faults
  /** Bytes of volume content that each host keeps at most. */
  contentLimit?: number
}

const GiB = 2 ** 30
/** What libvirt's test driver gives its pools. */
const POOL_CAPACITY = 100 * GiB

export class TestDriver implements Driver {
  readonly #clock: Clock
  readonly #faults: Faults
  readonly #contentLimit: number
  readonly #worlds = new Map<string, Promise<World>>()

  constructor({ clock = systemClock, faults = new Faults(), contentLimit = GiB / 4 }: TestDriverParts = {}) {
    this.#clock = clock
    this.#faults = faults
    this.#contentLimit = contentLimit
  }

  /** Rejects with UriError for a URI without a name, with ConnectionLost or LibvirtError for a file that cannot be read or opened. */
  async open(uri: string, options: OpenOptions): Promise<Connection> {
    const { path, name } = parseURI(uri)
    const what = path.slice(1)
    if (what === '') throw new UriError('malformed', 'the test driver needs a name or a file: test:///default, test:///any-name, test:///path/to/file.xml')
    options.signal?.throwIfAborted()
    const world = await this.#world(what)
    options.signal?.throwIfAborted()
    return testConnection(world, name, options)
  }

  /** A name is a host in memory; a path with more than that is a file's, which the registry opens only where URIs may name files. */
  #world(what: string): Promise<World> {
    const known = this.#worlds.get(what)
    if (known !== undefined) return known
    const made = this.#make(what)
    this.#worlds.set(what, made)
    // A file that could not be read may be there the next time.
    made.catch(() => this.#worlds.delete(what))
    return made
  }

  async #make(what: string): Promise<World> {
    const world = new World({ name: what, clock: this.#clock, faults: this.#faults, contentLimit: this.#contentLimit, poolCapacity: POOL_CAPACITY })
    if (what === 'default') seedDefault(world)
    else if (what.includes('/')) await seedFile(world, `/${what}`)
    return world
  }
}
