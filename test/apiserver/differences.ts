// Where our answers differ from kube-apiserver's on purpose. docs/standalone.md gives the same reasons.

export interface Difference {
  /** Name of the case. */
  of: string
  /** Its step, from 1. */
  step: number
  why: string
}

export const differences: readonly Difference[] = [
  { of: 'accept: protobuf alone', step: 2, why: 'kube-apiserver tells in protobuf that it has no protobuf; vireo, which writes none, tells it in JSON' },
  { of: 'definition: without a storage version', step: 1, why: 'the message quotes the names of the versions, not a Go struct' },
  { of: 'definition: with a schema that is not structural', step: 1, why: 'the same complaints, in the order of the schema: from the root inwards' },
]
