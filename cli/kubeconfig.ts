// Writes the kubeconfig by which kubectl and everything like it reaches a standalone vireo.

import { renameSync, writeFileSync } from 'node:fs'

export interface Access {
  url: string
  /** PEM. */
  authority: string
  user: string
  credentials: { token: string } | { certificate: string; key: string }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

export function kubeconfig({ url, authority, user, credentials }: Access): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'vireo',
    clusters: [{ name: 'vireo', cluster: { server: url, 'certificate-authority-data': base64(authority) } }],
    contexts: [{ name: 'vireo', context: { cluster: 'vireo', user } }],
    users: [{ name: user, user: 'token' in credentials ? credentials : { 'client-certificate-data': base64(credentials.certificate), 'client-key-data': base64(credentials.key) } }],
  }
}

/** Of mode 0600, whole or not at all. JSON is YAML too. */
export function writeKubeconfig(file: string, access: Access): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(kubeconfig(access), null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
