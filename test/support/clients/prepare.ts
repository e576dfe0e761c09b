// Runs once before the suite that lets real clients loose on the API: builds what the cache lacks of them.
import { buildClients } from './index.ts'

export async function setup(): Promise<void> {
  await buildClients(line => { console.log(line) })
}
