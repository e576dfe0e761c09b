// Carries the bytes over a program of the user's choice that speaks on its standard input and output (`qemu+ext:///system?command=…`).

import { childTransport, lastWords } from './child.ts'
import type { Transport } from './transport.ts'

export const extTransport = (file: string): Transport => childTransport({
  peer: file,
  command: () => Promise.resolve({ file, args: [] }),
  explain: ({ code, signal, said }) => {
    const words = lastWords(said)
    return new Error(`the program ended ${signal === null ? `with code ${code}` : `by ${signal}`}${words === '' ? '' : `: ${words}`}`)
  },
})
