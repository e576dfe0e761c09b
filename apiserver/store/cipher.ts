// Encrypts what must not be readable on the disk: AES-256-GCM under a key in a file of its own.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { StoreError } from './errors.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Layout of a sealed value: nonce, authentication tag, ciphertext. `context` is authenticated with it, so that a value cannot be moved to another object. */
export class Cipher {
  readonly #key: Buffer

  constructor(key: Buffer) {
    if (key.length !== KEY_BYTES) throw new StoreError('Key', `an encryption key has ${KEY_BYTES} bytes, this one ${key.length}`)
    this.#key = key
  }

  /** Tells keys apart without telling anything of them. */
  get fingerprint(): string {
    return createHash('sha256').update('vireo encryption key').update(this.#key).digest('hex').slice(0, 32)
  }

  seal(value: Uint8Array, context: string): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    cipher.setAAD(Buffer.from(context))
    const body = Buffer.concat([cipher.update(value), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), body])
  }

  /** Throws where the value was made with another key or for another context, or was changed. */
  open(sealed: Uint8Array, context: string): Uint8Array {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
  }
}

/** Reads the key file, or makes one of mode 0600 where there is none and `mayMake` says so. */
export function loadCipher(file: string, mayMake: boolean): Cipher {
  let mode: number
  try {
    mode = statSync(file).mode & 0o777
  } catch (cause) {
    if (!mayMake) throw new StoreError('Key', `the key file ${file} is missing, and the database holds Secrets encrypted with it: put it back from where it is kept, or from a backup`, { cause })
    return makeKey(file)
  }
  if ((mode & 0o077) !== 0) throw new StoreError('Key', `the key file ${file} is open to others (mode ${mode.toString(8).padStart(4, '0')}): run chmod 600 ${file}`)
  const text = readFileSync(file, 'utf8').trim()
  if (!/^[0-9a-f]{64}$/.test(text)) throw new StoreError('Key', `the key file ${file} does not hold a key: it is one line of 64 hexadecimal digits; put it back from a backup`)
  return new Cipher(Buffer.from(text, 'hex'))
}

function makeKey(file: string): Cipher {
  const key = randomBytes(KEY_BYTES)
  const handle = openSync(file, 'wx', 0o600)
  try {
    writeSync(handle, `${key.toString('hex')}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  return new Cipher(key)
}
