// Runs once before the suite that meets other hypervisors than QEMU: builds what the cache lacks of them.
import { buildEsxsim } from './esx.ts'
import { buildXenImage } from './xen-image.ts'

export async function setup(): Promise<void> {
  const say = (line: string): void => console.log(line)
  await buildEsxsim(say)
  await buildXenImage(say)
}
