// Installs the node_modules that the lockfile names where they are missing or stale. Runs before npm's own scripts, on whatever
// Node the machine has: everything after it runs on the Node 24 that comes among them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')

/** The packages of a lockfile, without the root entry, which only package-lock.json has. */
function packages(path) {
  try {
    const { packages: found } = JSON.parse(readFileSync(join(root, path), 'utf8'))
    delete found['']
    return found
  } catch {
    return undefined
  }
}

/** npm leaves out optional packages of other platforms; every other one must be there in the version that is asked for. */
function isComplete() {
  const wanted = packages('package-lock.json')
  const installed = packages('node_modules/.package-lock.json')
  if (installed === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    installed[path] === undefined ? optional === true : installed[path].version === version)
}

if (!isComplete()) {
  console.log('installing node_modules')
  // npm's own words matter where it fails, also under `npm --silent`.
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) {
    console.log('npm ci failed: node_modules could not be installed')
    if (process.env.npm_lifecycle_event === 'pretest') console.log('\n0 passed, 1 failed')
    process.exit(1)
  }
}
