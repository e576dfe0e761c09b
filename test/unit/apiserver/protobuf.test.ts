// Protobuf bodies, as kubectl 1.36 sent them for what it makes of its own.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseProtobuf } from '../../../apiserver/http/protobuf.ts'

const captured = JSON.parse(readFileSync(join(import.meta.dirname, 'captured/kubectl-protobuf.json'), 'utf8')) as Record<string, string>

test.each<[string, object]>([
  ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }],
  ['/api/v1/namespaces/team/secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'word', namespace: 'team' }, data: { a: 'Yg==' } }],
  ['/api/v1/namespaces/team/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'team' }, data: { a: 'b' } }],
  ['/api/v1/namespaces/team/serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: 'team' } }],
  ['/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { namespace: 'team', verb: 'get', resource: 'secrets' } } }],
  ['/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: 'team' } }],
  ['/apis/authentication.k8s.io/v1/selfsubjectreviews', { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }],
])('%s is read as what kubectl meant', async (path, expected) => {
  expect(await parseProtobuf(Buffer.from(captured[path]!, 'base64'))).toEqual(expected)
})

test('options that say nothing have no bytes at all', async () => {
  expect(await parseProtobuf(Buffer.from('k8s\0\n\x13\n\x02v1\x12\rDeleteOptions', 'latin1'))).toEqual({ apiVersion: 'v1', kind: 'DeleteOptions' })
})

test.each<[string, Buffer, RegExp]>([
  ['that has no envelope', Buffer.from('{}'), /does not appear to be a protobuf message/],
  ['that ends too early', Buffer.from(captured['/api/v1/namespaces']!, 'base64').subarray(0, 30), /cannot be read/],
  ['of a kind that has none', Buffer.from('k8s\0\n\x0d\n\x02v1\x12\x07Unknown\x12\x00', 'latin1'), /accepted media types include: application\/json, application\/yaml/],
  ['of noise', Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(64, 0xff)]), /cannot be read|media types/],
])('a body %s is refused', async (_, body, message) => {
  await expect(parseProtobuf(body)).rejects.toThrow(message)
})
