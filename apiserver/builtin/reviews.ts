// Questions of a user about itself: may I, who am I. They are answered and not stored.

import type { JsonObject, SchemaNode } from '../schema/types.ts'
import { type Attempt, isAllowed, isPathAllowed } from '../access/authorize.ts'
import type { Accounts, User } from '../access/users.ts'
import type { ServedKind } from '../registry/kind.ts'
import { at, builtin, isObject, textAt } from './define.ts'

const TEXT: SchemaNode = { type: 'string' }
const texts = (properties: Record<string, SchemaNode>): SchemaNode => ({ type: 'object', properties })
const RESOURCE = { namespace: TEXT, verb: TEXT, group: TEXT, version: TEXT, resource: TEXT, subresource: TEXT, name: TEXT, fieldSelector: { 'x-kubernetes-preserve-unknown-fields': true }, labelSelector: { 'x-kubernetes-preserve-unknown-fields': true } }

const reviewed = (object: JsonObject, status: JsonObject): JsonObject =>
  ({ ...object, metadata: { ...object['metadata'] as JsonObject | undefined, creationTimestamp: null }, spec: object['spec'] ?? {}, status })

function attemptOf(resource: JsonObject): Attempt {
  return { verb: textAt(resource, 'verb'), group: textAt(resource, 'group'), plural: textAt(resource, 'resource'), subresource: textAt(resource, 'subresource'), namespace: textAt(resource, 'namespace'), name: textAt(resource, 'name') }
}

export function reviews(accounts: () => Accounts): ServedKind[] {
  const mayI = (object: JsonObject, user: User): JsonObject => {
    const resource = at(object, 'spec', 'resourceAttributes')
    const path = at(object, 'spec', 'nonResourceAttributes')
    const allowed = isObject(resource) ? isAllowed(accounts(), user, attemptOf(resource)) : isObject(path) && isPathAllowed(user, textAt(path, 'verb'), textAt(path, 'path'))
    return reviewed(object, { allowed })
  }
  const whoAmI = (object: JsonObject, user: User): JsonObject =>
    reviewed(object, { userInfo: { username: user.name, ...user.uid === '' ? {} : { uid: user.uid }, groups: [...user.groups] } })
  const whatMayI = (object: JsonObject, user: User): JsonObject => {
    const namespace = textAt(object, 'spec', 'namespace')
    const may = (verb: string, plural: string): boolean => isAllowed(accounts(), user, { verb, group: '', plural, subresource: '', namespace, name: '' })
    const all = may('delete', 'secrets')
    const resourceRules = all ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : may('get', 'configmaps') ? [{ verbs: ['get', 'list', 'watch'], apiGroups: ['*'], resources: ['*'] }] : []
    const nonResourceRules = [{ verbs: ['get'], nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/version', '/healthz', '/livez', '/readyz'] }]
    return reviewed(object, { resourceRules, nonResourceRules, incomplete: false })
  }
  const review = (group: string, plural: string, kind: string, description: string, spec: SchemaNode | undefined, answer: (object: JsonObject, user: User) => JsonObject): ServedKind => {
    const schema: SchemaNode = { type: 'object', description, properties: { ...spec === undefined ? {} : { spec }, status: { type: 'object', description: 'Filled in by the server.', 'x-kubernetes-preserve-unknown-fields': true } } }
    return builtin({ group, plural, kind, schema, namespaced: false, verbs: ['create'], behaviour: { review: answer } })
  }
  return [
    review('authorization.k8s.io', 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', 'Whether the current user may do something.', texts({ resourceAttributes: texts(RESOURCE), nonResourceAttributes: texts({ path: TEXT, verb: TEXT }) }), mayI),
    review('authorization.k8s.io', 'selfsubjectrulesreviews', 'SelfSubjectRulesReview', 'What the current user may do in a namespace.', texts({ namespace: TEXT }), whatMayI),
    review('authentication.k8s.io', 'selfsubjectreviews', 'SelfSubjectReview', 'Who the current user is.', undefined, whoAmI),
  ]
}
