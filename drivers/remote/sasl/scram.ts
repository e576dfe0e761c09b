// SCRAM (RFC 5802, RFC 7677): proves to each side that the other knows the password, without sending it. No channel binding.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AuthenticationFailed } from '../../errors.ts'
import { prepared, type Mechanism, type MechanismOf } from './mechanism.ts'

const derive = promisify(pbkdf2)

const hashes = { 'SCRAM-SHA-1': { name: 'sha1', length: 20 }, 'SCRAM-SHA-256': { name: 'sha256', length: 32 }, 'SCRAM-SHA-512': { name: 'sha512', length: 64 } } as const
export type ScramName = keyof typeof hashes

/** RFC 7677: fewer make the password cheap to guess for whoever plays the host. */
const ITERATIONS_MIN = 4096
/** Seconds of work; more is an attack on this side. */
const ITERATIONS_MAX = 10_000_000

/** "I bind no channel" and its base64 (RFC 5802, 5.1). */
const GS2_HEADER = 'n,,'
const CHANNEL_BINDING = Buffer.from(GS2_HEADER).toString('base64')

const wrong = (what: string): AuthenticationFailed => new AuthenticationFailed(`the host's side of the SCRAM exchange ${what}: what listens there may not be the host it seems to be`)

/** `r=…,s=…,i=…` */
const attributes = (message: string): Map<string, string> => new Map(message.split(',').map((pair) => [pair.slice(0, 1), pair.slice(2)]))

/** `nonce` replaces chance, for the vectors of the RFCs. */
export const scram = (mechanism: ScramName, nonce = () => randomBytes(24).toString('base64')): MechanismOf => async (credentials) => {
  const { name, length } = hashes[mechanism]
  const username = (await prepared(credentials.username)).replaceAll('=', '=3D').replaceAll(',', '=2C')
  const password = await prepared(credentials.password)
  const hmac = (key: Buffer, text: string | Buffer): Buffer => createHmac(name, key).update(text).digest()
  const ours = nonce()
  const firstBare = `n=${username},r=${ours}`
  let expected: Buffer | undefined
  let state: 'first' | 'final' | 'satisfied' = 'first'

  const answerFirst = async (message: string): Promise<Buffer> => {
    const said = attributes(message)
    const [theirs, salt, count] = [said.get('r'), said.get('s'), Number(said.get('i'))]
    if (said.has('m')) throw wrong('asks for an extension that this side does not know')
    if (theirs === undefined || theirs.length <= ours.length || !theirs.startsWith(ours)) throw wrong('does not continue the number that this side drew')
    if (salt === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(salt)) throw wrong('has no salt')
    if (!Number.isInteger(count) || count < ITERATIONS_MIN || count > ITERATIONS_MAX) throw wrong(`asks for ${said.get('i')?.slice(0, 20) ?? 'no number of'} iterations, which is not between ${ITERATIONS_MIN} and ${ITERATIONS_MAX}`)
    const salted = await derive(password, Buffer.from(salt, 'base64'), count, length, name)
    const clientKey = hmac(salted, 'Client Key')
    const storedKey = createHash(name).update(clientKey).digest()
    const withoutProof = `c=${CHANNEL_BINDING},r=${theirs}`
    const authMessage = `${firstBare},${message},${withoutProof}`
    const signature = hmac(storedKey, authMessage)
    expected = hmac(hmac(salted, 'Server Key'), authMessage)
    state = 'final'
    return Buffer.from(`${withoutProof},p=${Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')}`)
  }

  const checkFinal = (message: string): Buffer => {
    const said = attributes(message)
    if (said.has('e')) throw new AuthenticationFailed(`the host refuses user name or password (${said.get('e')!.slice(0, 80).replaceAll(/[^\x20-\x7e]/g, '?')})`)
    const verifier = Buffer.from(said.get('v') ?? '', 'base64')
    if (verifier.length !== expected!.length || !timingSafeEqual(verifier, expected!)) throw wrong('does not prove that it knows the password')
    state = 'satisfied'
    return Buffer.alloc(0)
  }

  return {
    first: () => Buffer.from(GS2_HEADER + firstBare),
    respond: async (challenge) => {
      const message = challenge.toString('utf8')
      if (state === 'first') return await answerFirst(message)
      if (state === 'final') return checkFinal(message)
      throw wrong('goes on after its end')
    },
    get satisfied() { return state === 'satisfied' },
  } satisfies Mechanism
}
