// The embedded test driver conforms: it behaves as libvirt's QEMU driver does, and has all that the interface has.

import { TestDriver } from '../../drivers/test/driver.ts'
import { conform } from './conform.ts'
import { likeQEMU, settings } from './traits.ts'

conform({
  title: 'Test (embedded)', domainType: 'test', os: '<os><type>hvm</type></os>',
  lacks: new Set(),
  traits: { ...likeQEMU, guestsObey: true },
  start: async () => {
    const driver = new TestDriver()
    return { open: async () => await driver.open('test:///conformance', settings), [Symbol.asyncDispose]: async () => { /* nothing outlives the process */ } }
  },
})
