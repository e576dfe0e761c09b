// `npm run build`: the program and what it depends on as a few files in dist/, which a Node 24 runs without node_modules.

import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const root = join(import.meta.dirname, '..')

export async function build(dir = join(root, 'dist')): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  const bundle = await rolldown({
    // The database's thread is an entry of its own: it is started by its file's name.
    input: { vireo: join(root, 'cli/vireo.ts'), worker: join(root, 'apiserver/store/worker.ts') },
    platform: 'node',
    // Only a checkout can do it.
    external: id => id.endsWith('/dev.ts'),
    onLog: (level, log, say) => {
      // Dependencies are as they are.
      if (level === 'warn' && log.code === 'EVAL') return
      say(level, log)
    },
  })
  try {
    await bundle.write({ dir, format: 'esm', entryFileNames: '[name].js', chunkFileNames: ({ name }) => `${name.replace(/^\W+/, '')}-[hash].js`, minify: { compress: true, mangle: false } })
  } finally {
    await bundle.close()
  }
  await chmod(join(dir, 'vireo.js'), 0o755)
}

if (import.meta.main) await build()
