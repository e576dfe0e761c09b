// What goes onto the wire and comes off it: paths, and lines of a stream.

import { describe, expect, test } from 'vitest'
import { customResourceDefinitions, leases, namespaces, resourcePath, secrets } from '../../../controller/resource.ts'
import { LineSplitter } from '../../../controller/transport.ts'

describe('paths', () => {
  test.each([
    [resourcePath(secrets), '/api/v1/secrets'],
    [resourcePath(secrets, 'shop'), '/api/v1/namespaces/shop/secrets'],
    [resourcePath(leases, 'shop', 'vireo'), '/apis/coordination.k8s.io/v1/namespaces/shop/leases/vireo'],
    [resourcePath(namespaces, undefined, 'shop'), '/api/v1/namespaces/shop'],
    [resourcePath(customResourceDefinitions, undefined, 'a.b', 'status'), '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b/status'],
    [resourcePath(secrets, '../x', 'a/b'), '/api/v1/namespaces/..%2Fx/secrets/a%2Fb'],
  ])('%s', (path, expected) => expect(path).toBe(expected))

  test.each(['', '.', '..'])('a name "%s" is a mistake, not another path', (name) => {
    expect(() => resourcePath(secrets, 'shop', name)).toThrow('name')
  })

  test('a namespaced object without its namespace is a mistake, not a wider request', () => {
    expect(() => resourcePath(secrets, undefined, 'a')).toThrow('namespace')
  })
})

describe('lines', () => {
  test('are the same however the bytes are cut', () => {
    const bytes = Buffer.from('{"a":"ü"}\n\n{"b":"大🦜"}\n{"half":')
    for (let size = 1; size <= bytes.length; size++) {
      const splitter = new LineSplitter()
      const lines: string[] = []
      for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)).map(String))
      expect(lines).toEqual(['{"a":"ü"}', '{"b":"大🦜"}'])
      expect(splitter.pending).toBe('{"half":'.length)
    }
  })
})
