// The direction of the imports: which folder may know which.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** What each folder may import of ours. `controller` knows Kubernetes and no libvirt, `drivers` libvirt and no Kubernetes; only `reconcilers` knows both. */
const MAY_IMPORT: Record<string, string[]> = {
  clock: [],
  xml: [],
  crds: [],
  controller: ['clock'],
  drivers: ['clock', 'xml'],
  observed: ['clock', 'drivers', 'xml'],
  reconcilers: ['clock', 'controller', 'crds', 'drivers', 'observed', 'xml'],
  operator: ['clock', 'controller', 'crds', 'drivers', 'observed', 'reconcilers', 'xml'],
  apiserver: ['clock'],
  cli: ['apiserver', 'clock', 'controller', 'crds', 'drivers', 'observed', 'operator', 'reconcilers', 'xml'],
}

/** Exceptions, file by file: the development cluster is started by a command and lives with the scripts. */
const ALSO: Record<string, string> = { 'cli/dev.ts': 'scripts/devcluster/' }

/** Packages that know one side, and the folders that may use them. */
const PACKAGES: Record<string, string[]> = {
  '@kubernetes/client-node': ['controller', 'operator', 'cli'],
  'undici': ['controller', 'reconcilers'],
  'fast-xml-parser': ['xml'],
  'prom-client': ['controller', 'operator'],
  '@mongodb-js/saslprep': ['drivers'],
  'typebox': ['crds'],
  '@marcbachmann/cel-js': ['apiserver'],
  '@peculiar/x509': ['apiserver'],
  'protobufjs': ['apiserver'],
  'node:sqlite': ['apiserver'],
  're2js': ['apiserver'],
  'rfc6902': ['apiserver'],
}

interface Import { file: string; folder: string; from: string }

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)
  return Array.from(found, ([, from]) => ({ file, folder: file.split('/')[0]!, from: from!.startsWith('.') ? join(dirname(file), from!) : from! }))
}

const folders = Object.keys(MAY_IMPORT)
const imports = folders.flatMap(folder => globSync(`${folder}/**/*.ts`, { cwd: root })).toSorted().flatMap(importsOf)
const isOurs = (from: string): boolean => from.endsWith('.ts')
const folderOf = (from: string): string => from.split('/')[0]!

describe('imports', () => {
  test('every folder of the product is in the table', () => {
    const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { include: string[] }
    expect(include.filter(entry => !folders.includes(entry) && !['test', 'bench', 'scripts', 'vitest.config.ts'].includes(entry))).toEqual([])
    expect(imports.length).toBeGreaterThan(300)
  })

  test.each(folders)('%s imports only folders that it may know', folder => {
    const strays = imports
      .filter(({ from, folder: of }) => of === folder && isOurs(from) && folderOf(from) !== folder && !MAY_IMPORT[folder]!.includes(folderOf(from)))
      .filter(({ file, from }) => !(ALSO[file] !== undefined && from.startsWith(ALSO[file])))
    expect(strays.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  test('no two folders import each other, by however many steps', () => {
    const next = new Map(folders.map(folder => [folder, new Set(imports.filter(({ folder: of, from }) => of === folder && isOurs(from)).map(({ from }) => folderOf(from)))]))
    const cycles: string[] = []
    const visit = (at: string, path: string[]): void => {
      if (path.includes(at)) { cycles.push([...path.slice(path.indexOf(at)), at].join(' → ')); return }
      for (const to of next.get(at) ?? []) if (to !== at) visit(to, [...path, at])
    }
    for (const folder of folders) visit(folder, [])
    expect(cycles).toEqual([])
  })

  test('nothing of the product imports tests or benchmarks', () => {
    expect(imports.filter(({ from }) => isOurs(from) && ['test', 'bench'].includes(folderOf(from))).map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  test('what the API makes of objects is computed: schema and merge do no I/O, and schema knows nothing of merges', () => {
    const core = imports.filter(({ file }) => /^apiserver\/(schema|merge)\//.test(file))
    expect(core.length).toBeGreaterThan(50)
    const isPure = ({ file, from }: Import): boolean => isOurs(from) ? from.startsWith('apiserver/schema/') || (file.startsWith('apiserver/merge/') && from.startsWith('apiserver/merge/')) : !from.startsWith('node:') || from === 'node:net'
    expect(core.filter(found => !isPure(found)).map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
    // Of node:net, what tells addresses from other texts.
    for (const file of new Set(core.filter(({ from }) => from === 'node:net').map(({ file: of }) => of))) {
      expect(readFileSync(join(root, file), 'utf8')).toMatch(/import \{ (isIP(v[46])?(, )?)+ \} from 'node:net'/)
    }
  })

  test('the API\'s store knows no API, and nothing of the API knows HTTP but what puts it together', () => {
    const inStore = imports.filter(({ file }) => file.startsWith('apiserver/store/'))
    expect(inStore.length).toBeGreaterThan(20)
    expect(inStore.filter(({ from }) => isOurs(from) && !/^(?:apiserver\/store\/|apiserver\/schema\/types\.ts|clock\/)/.test(from)).map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
    const knowHttp = imports.filter(({ file, from }) => file.startsWith('apiserver/') && !file.startsWith('apiserver/http/') && (from.startsWith('apiserver/http/') || /^node:https?$/.test(from)))
    expect([...new Set(knowHttp.map(({ file }) => file))]).toEqual(['apiserver/server.ts'])
    const sqlite = imports.filter(({ folder, from }) => folder === 'apiserver' && from === 'node:sqlite')
    expect([...new Set(sqlite.map(({ file }) => file))].filter(file => !file.startsWith('apiserver/store/'))).toEqual(['apiserver/backup.ts'])
  })

  test.each(Object.entries(PACKAGES))('%s is used where its side is known: %j', (name, allowed) => {
    const strays = imports.filter(({ from, folder }) => (from === name || from.startsWith(`${name}/`)) && !allowed.includes(folder))
    expect(strays.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })
})
