// The suites: each a project here. `npm test` requires all of them.
import { defineConfig } from 'vitest/config'

// Go's programs live for a moment here (kubectl, a thousand times) or have memory enough: their collectors need not work as hard as by default.
process.env['GOGC'] ??= '400'

/** Suites on real daemons spend most of their time waiting for these: they run together, several files at once. The sources are loaded once for all files of a worker. */
const onDaemons = { maxWorkers: 4, sequence: { groupOrder: 1 }, isolate: false }

export default defineConfig({
  test: {
    retry: 0,
    // As Node itself runs the sources: nothing is transformed, and what Node has compiled once it finds again.
    experimental: { viteModuleRunner: false },
    projects: [
      {
        // Functions, and parts against fakes: no process is started.
        test: {
          name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000, maxWorkers: 2, sequence: { groupOrder: 0 },
          isolate: false,
        },
      },
      {
        // The test bed itself: private libvirt hosts, the control plane, the guest.
        test: { name: 'bed', include: ['test/bed/**/*.test.ts'], globalSetup: ['test/support/prepare.ts'], testTimeout: 120_000, hookTimeout: 180_000, ...onDaemons },
      },
      {
        // Drivers and rendering against a real libvirtd.
        test: { name: 'real', include: ['test/real/**/*.test.ts'], globalSetup: ['test/support/hosts/prepare.ts'], testTimeout: 60_000, hookTimeout: 120_000, ...onDaemons },
      },
      {
        // One suite for every driver that can be reached, and the support table that it writes.
        test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'], globalSetup: ['test/support/hosts/prepare.ts'], testTimeout: 300_000, hookTimeout: 300_000, ...onDaemons },
      },
      {
        // The standalone API as a process of its own: beside a real kube-apiserver, killed, and under real clients.
        test: { name: 'apiserver', include: ['test/apiserver/**/*.test.ts'], globalSetup: ['test/support/prepare.ts', 'test/support/clients/prepare.ts'], testTimeout: 120_000, hookTimeout: 180_000, ...onDaemons },
      },
      {
        // The whole operator between a real API server, a real libvirtd and real guests.
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], globalSetup: ['test/support/prepare.ts'], testTimeout: 180_000, hookTimeout: 180_000, ...onDaemons },
      },
      {
        // The same on vireo's own API.
        test: {
          name: 'e2e-standalone', include: ['test/e2e/**/*.test.ts'], env: { VIREO_API: 'standalone' }, globalSetup: ['test/support/prepare.ts'], testTimeout: 180_000, hookTimeout: 180_000,
          ...onDaemons,
        },
      },
      {
        // Each promise of the design, broken on purpose in a copy of the sources: a unit test turns red.
        test: { name: 'breaks', include: ['test/breaks/**/*.test.ts'], maxConcurrency: 2, testTimeout: 120_000, hookTimeout: 180_000, ...onDaemons },
      },
    ],
  },
})
