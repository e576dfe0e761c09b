// SASL: the vectors of the RFCs, what a host may not get away with, and which mechanism goes over which channel.

import { describe, expect, test } from 'vitest'
import type { SASLCredentials } from '../../../drivers/credentials.ts'
import { handshake } from '../../../drivers/remote/handshake.ts'
import { procedures as p } from '../../../drivers/remote/protocol.ts'
import { prepared } from '../../../drivers/remote/sasl/mechanism.ts'
import { plain } from '../../../drivers/remote/sasl/plain.ts'
import { chooseMechanism } from '../../../drivers/remote/sasl/sasl.ts'
import { scram, type ScramName } from '../../../drivers/remote/sasl/scram.ts'
import type { Channel } from '../../../drivers/remote/transport/transport.ts'
import { Reader } from '../../../drivers/remote/xdr.ts'
import { settle } from '../../support/fakeclock.ts'
import { connected, encoded } from '../../support/rpc/scripted-peer.ts'
import { SaslData } from '../../../drivers/remote/types.ts'

const pencil = { username: 'user', password: 'pencil' }

/** Whole exchanges: RFC 5802, 5; RFC 7677, 3; for SHA-512 no RFC has one, its values come from Python's hashlib and hmac. */
const vectors: { mechanism: ScramName; nonce: string; first: string; challenge: string; proof: string; final: string }[] = [
  {
    mechanism: 'SCRAM-SHA-1', nonce: 'fyko+d2lbbFgONRv9qkxdawL', first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
    challenge: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    proof: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', final: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    mechanism: 'SCRAM-SHA-256', nonce: 'rOprNGfwEbeRWgbNEkqO', first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    proof: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', final: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
  {
    mechanism: 'SCRAM-SHA-512', nonce: 'rOprNGfwEbeRWgbNEkqO', first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    challenge: 'r=rOprNGfwEbeRWgbNEkqOtheirs,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    proof: 'c=biws,r=rOprNGfwEbeRWgbNEkqOtheirs,p=ah1Skni5wFj3dMtBGbz4Sks0n6PQnV7P3t+BAitAdwUvxUexC+p72ICCyIahy2kf7JT3CVV+U+fVIvg36njF3w==', final: 'v=kcImtI24HLrc2lLrfMl5Bezg+2MFi80fTLefwNSxSdmqz7OJ3+HDrVJCywll5NKlb7QturFnbHecDp5JBFFlxA==',
  },
]

const begin = async ({ mechanism, nonce }: { mechanism: ScramName; nonce: string }) => await scram(mechanism, () => nonce)(pencil)

describe('SCRAM', () => {
  test.each(vectors)('$mechanism as the document has it', async (vector) => {
    const exchange = await begin(vector)
    expect(String(exchange.first())).toBe(vector.first)
    expect(String(await exchange.respond(Buffer.from(vector.challenge)))).toBe(vector.proof)
    expect(exchange.satisfied).toBe(false)
    expect(String(await exchange.respond(Buffer.from(vector.final)))).toBe('')
    expect(exchange.satisfied).toBe(true)
  })

  const [sha1] = vectors as [typeof vectors[0]]
  test.each([
    ['a number that is not continued', 'r=somethingelse,s=QSXCR+Q6sek8bf92,i=4096', 'does not continue the number'],
    ['a number with nothing added', `r=${sha1.nonce},s=QSXCR+Q6sek8bf92,i=4096`, 'does not continue the number'],
    ['no salt', `r=${sha1.nonce}x,i=4096`, 'has no salt'],
    ['a salt of nothing', `r=${sha1.nonce}x,s=,i=4096`, 'has no salt'],
    ['few iterations', `r=${sha1.nonce}x,s=QSXCR+Q6sek8bf92,i=1`, 'asks for 1 iterations'],
    ['work without end', `r=${sha1.nonce}x,s=QSXCR+Q6sek8bf92,i=2000000000`, 'asks for 2000000000 iterations'],
    ['iterations that are no number', `r=${sha1.nonce}x,s=QSXCR+Q6sek8bf92,i=many`, 'asks for many iterations'],
    ['an extension', `m=1,r=${sha1.nonce}x,s=QSXCR+Q6sek8bf92,i=4096`, 'asks for an extension'],
    ['nothing at all', '', 'does not continue the number'],
  ])('a host with %s is not believed', async (_what, challenge, sentence) => {
    await expect((await begin(sha1)).respond(Buffer.from(challenge))).rejects.toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining(sentence) })
  })

  test.each([
    ['does not know the password', 'v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'does not prove that it knows the password'],
    ['says nothing', '', 'does not prove that it knows the password'],
    ['refuses', 'e=invalid-proof', 'refuses user name or password (invalid-proof)'],
  ])('a host that %s in the end is not believed', async (_what, final, sentence) => {
    const exchange = await begin(sha1)
    await exchange.respond(Buffer.from(sha1.challenge))
    await expect(exchange.respond(Buffer.from(final))).rejects.toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining(sentence) })
    expect(exchange.satisfied).toBe(false)
  })

  test('every exchange draws a number of its own', async () => {
    const firsts = await Promise.all(Array.from({ length: 3 }, async () => String((await scram('SCRAM-SHA-256')(pencil)).first())))
    expect(new Set(firsts).size).toBe(3)
  })

  test('a name with commas and equals signs is written as the RFC says', async () => {
    expect(String((await scram('SCRAM-SHA-256', () => 'x')({ username: 'a,b=c', password: 'p' })).first())).toBe('n,,n=a=2Cb=3Dc,r=x')
  })
})

test('PLAIN is the name and the password', async () => {
  expect(String((await plain(pencil)).first())).toBe('\0user\0pencil')
})

test.each([['I­X', 'IX'], ['user', 'user'], ['ª', 'a'], ['Ⅸ', 'IX'], ['a b', 'a b']])('SASLprep (RFC 4013, 3) of %j', async (text, wanted) => {
  expect(await prepared(text)).toBe(wanted)
})

describe('the choice of a mechanism', () => {
  test.each([
    [['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'], 'tls', undefined, 'SCRAM-SHA-512'],
    [['PLAIN', 'SCRAM-SHA-1'], 'unix', undefined, 'SCRAM-SHA-1'],
    [['PLAIN'], 'tls', undefined, 'PLAIN'],
    [['SCRAM-SHA-256', 'SCRAM-SHA-512'], 'tls', 'SCRAM-SHA-256', 'SCRAM-SHA-256'],
    [['GSSAPI', 'SCRAM-SHA-256'], 'ssh', undefined, 'SCRAM-SHA-256'],
  ] as const)('of %j over %s, wanted %s, is %s', (offered, channel, wanted, chosen) => {
    expect(chooseMechanism(offered, channel, wanted)).toBe(chosen)
  })

  test.each([
    [['GSSAPI'], 'tls', undefined, 'asks for Kerberos (it offers GSSAPI), which vireo does not speak: have the host offer SCRAM'],
    [['PLAIN'], 'unix', undefined, 'PLAIN sends the password itself and is used over TLS only'],
    [['PLAIN'], 'ssh', 'PLAIN', 'PLAIN sends the password itself and is used over TLS only'],
    [['SCRAM-SHA-1'], 'tls', 'SCRAM-SHA-256', 'does not offer the SASL mechanism SCRAM-SHA-256, but SCRAM-SHA-1'],
    [['DIGEST-MD5'], 'tls', undefined, 'the host offers DIGEST-MD5 for SASL, and vireo speaks'],
    [[], 'unix', undefined, 'the host offers no mechanism for SASL'],
  ] as const)('of %j over %s, wanted %s, is a sentence', (offered, channel, wanted, sentence) => {
    expect(() => chooseMechanism(offered, channel, wanted)).toThrow(expect.objectContaining({ name: 'AuthenticationFailed', message: expect.stringContaining(sentence) }))
  })
})

test('a character array travels as one integer for each byte, with its sign', () => {
  expect(encoded(SaslData, Buffer.from([0, 1, 0x7f, 0x80, 0xff])).toString('hex')).toBe('00000005' + '00000000' + '00000001' + '0000007f' + 'ffffff80' + 'ffffffff')
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  expect(SaslData.read(new Reader(encoded(SaslData, bytes)))).toEqual(bytes)
})

describe('the exchange with a daemon', () => {
  /** Plays a daemon that asks for SASL with `answers` to start and steps; answers what the client said and how it ended. */
  const play = async (answers: { complete: boolean; nil?: boolean; data?: string }[], { list = 'SCRAM-SHA-256', credentials = pencil, channel = 'tls' }: { list?: string; credentials?: SASLCredentials; channel?: Channel } = {}) => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system', { channel, sasl: credentials }).catch((error: unknown) => error)
    const said: string[] = []
    for (let answered = 0; ; answered++) {
      // Deriving a key takes a thread's time: the next call, or the end, is waited for.
      const next = await Promise.race([opening, new Promise<'called'>((resolve) => {
        const look = (): void => { if (peer.calls.length > answered) resolve('called'); else setImmediate(look) }
        look()
      })])
      if (next !== 'called') return { said, ended: next as Error, calls: peer.calls.map(({ procedure }) => procedure) }
      const frame = peer.calls[answered]!
      if (frame.procedure === p.authList.number) peer.reply(frame, p.authList, [1])
      else if (frame.procedure === p.authSaslInit.number) peer.reply(frame, p.authSaslInit, list)
      else if (frame.procedure === p.connectOpen.number) peer.refuse(frame, { code: 1, message: 'authenticated' })
      else {
        const args = frame.procedure === p.authSaslStart.number ? p.authSaslStart.args.read(new Reader(frame.payload)) : p.authSaslStep.args.read(new Reader(frame.payload))
        said.push(String(args.data))
        const answer = answers.shift()
        if (answer) peer.reply(frame, p.authSaslStart, { nil: false, ...answer, data: Buffer.from(answer.data ?? '') })
        else peer.refuse(frame, { code: 45, message: 'authentication failed: step failed for secret pencil' })
      }
      await settle()
    }
  }

  test('PLAIN over TLS is over with its first word', async () => {
    const { said, ended, calls } = await play([{ complete: true, nil: true }], { list: 'PLAIN' })
    expect([said, ended.message, calls]).toEqual([['\0user\0pencil'], 'authenticated', [66, 67, 68, 1]])
  })

  test('a refusal is a sentence without the daemon’s words, which could repeat what it was told', async () => {
    const { ended } = await play([], { list: 'PLAIN' })
    expect(ended).toMatchObject({ name: 'AuthenticationFailed', message: '/scripted refuses user name or password (SASL PLAIN)' })
  })

  test('a host that lets SCRAM end before it proved itself is not believed', async () => {
    const { ended, calls } = await play([{ complete: true, nil: true }])
    expect(ended).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('without having proved that it knows the password') })
    expect(calls).not.toContain(1)
  })

  test('a host that never comes to an end is given up', async () => {
    const { ended } = await play(Array.from({ length: 20 }, () => ({ complete: false, nil: true })), { list: 'PLAIN' })
    expect(ended).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('does not come to an end') })
  })

  test('where nothing fits, nothing is said', async () => {
    const { said, ended } = await play([], { list: 'GSSAPI', channel: 'unix' })
    expect([said, ended.name]).toEqual([[], 'AuthenticationFailed'])
  })
})
