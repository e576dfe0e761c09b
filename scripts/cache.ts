// Says where built things (control plane, guest image, probe results) are kept between runs: outside the checkout.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `$XDG_CACHE_HOME/vireo`, by default `~/.cache/vireo`. It may not exist yet. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vireo')
}
