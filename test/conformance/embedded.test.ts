// The embedded test driver conforms: what it has behaves as libvirt's QEMU driver does, and what it lacks says so.

import { lackingOperations } from '../../drivers/test/calls/lacking.ts'
import { TestDriver } from '../../drivers/test/driver.ts'
import { conform } from './conform.ts'
import { likeQEMU, settings } from './traits.ts'

conform({
  title: 'Test (embedded)', domainType: 'test', os: '<os><type>hvm</type></os>',
  lacks: new Set(lackingOperations),
  traits: { ...likeQEMU, guestsObey: true },
  start: async () => {
    const driver = new TestDriver()
    return { open: async options => await driver.open('test:///conformance', { ...settings, ...options }), [Symbol.asyncDispose]: async () => { /* nothing outlives the process */ } }
  },
})
