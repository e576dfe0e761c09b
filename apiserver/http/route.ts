// Reads a path of the API: which group, version, resource, namespace, object and subresource it names.

export interface ResourcePath {
  group: string
  version: string
  plural: string
  /** Undefined: the cluster scope, or all namespaces. */
  namespace: string | undefined
  /** Undefined: the collection. */
  name: string | undefined
  subresource: string | undefined
}

/** Undefined for a path that names no resource: documents, health, what is unknown. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  let parts: string[]
  try {
    // Decoded first, as by kube-apiserver: no name can hold a slash.
    parts = decodeURIComponent(path).split('/').slice(1)
  } catch {
    return undefined
  }
  if (parts.includes('')) return undefined
  const [root, ...rest] = parts
  const [group, version, ...below] = root === 'api' ? ['', ...rest] : root === 'apis' ? rest : []
  if (group === undefined || version === undefined || below.length === 0) return undefined
  // Namespaces are objects themselves: only a third part makes one a place.
  if (below[0] === 'namespaces' && below.length >= 3 && !(group === '' && NAMESPACE_SUBRESOURCES.has(below[2]!))) {
    const [, namespace, plural, name, subresource, ...more] = below
    return more.length > 0 ? undefined : { group, version, namespace, plural: plural!, name, subresource }
  }
  const [plural, name, subresource, ...more] = below
  return more.length > 0 ? undefined : { group, version, namespace: undefined, plural: plural!, name, subresource }
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize'])
