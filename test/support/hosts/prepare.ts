// Runs once before the suite that meets other hypervisors than QEMU: builds what the cache lacks of them.
import { buildEsxsim } from './esx.ts'

export async function setup(): Promise<void> {
  await buildEsxsim(line => console.log(line))
}
