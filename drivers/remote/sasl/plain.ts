// PLAIN (RFC 4616): the password itself. The host learns it, and whoever else can read the connection.

import { prepared, type MechanismOf } from './mechanism.ts'

export const plain: MechanismOf = async ({ username, password }) => {
  const message = Buffer.from(`\0${await prepared(username)}\0${await prepared(password)}`)
  return { first: () => message, respond: () => Promise.resolve(Buffer.alloc(0)), satisfied: true }
}
