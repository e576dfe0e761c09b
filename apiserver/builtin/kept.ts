// Kinds that install manifests bring along and that have no effect here: RBAC's and Deployments. They are kept, and whoever writes one is told.

import type { JsonObject } from '../schema/types.ts'
import type { ServedKind } from '../registry/kind.ts'
import { AGE_COLUMN, at, builtin, column, isObject, textAt } from './define.ts'

const RBAC = 'rbac.authorization.k8s.io'
const UNENFORCED = 'kept, but not enforced: the users of this server and their roles are those of "vireo user"'
const UNRUN = 'kept, but nothing runs it: this server has no nodes. What vireo needs runs in the server itself'

const role = (object: JsonObject): string => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`

const rbac = [
  builtin({ group: RBAC, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false, names: 'any', note: UNENFORCED }),
  builtin({ group: RBAC, plural: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false, names: 'any', note: UNENFORCED, columns: [column('Role', role), AGE_COLUMN] }),
  builtin({ group: RBAC, plural: 'roles', kind: 'Role', names: 'any', note: UNENFORCED }),
  builtin({ group: RBAC, plural: 'rolebindings', kind: 'RoleBinding', names: 'any', note: UNENFORCED, columns: [column('Role', role), AGE_COLUMN] }),
]

const replicas = (object: JsonObject): number => { const wanted = at(object, 'spec', 'replicas'); return typeof wanted === 'number' ? wanted : 1 }

/** What a controller would say that gave up: whoever waits for it hears so at once. */
function refused(object: JsonObject): JsonObject {
  const generation = at(object, 'metadata', 'generation') ?? 1
  const before = at(object, 'status', 'conditions')
  const told = Array.isArray(before) && isObject(before[0]) ? textAt(before[0], 'lastTransitionTime') : ''
  const time = told || textAt(object, 'metadata', 'creationTimestamp')
  return {
    observedGeneration: generation,
    unavailableReplicas: replicas(object),
    conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'No pod is made: this server has no nodes.', lastTransitionTime: time, lastUpdateTime: time }],
  }
}

const deployments = builtin({
  group: 'apps', plural: 'deployments', kind: 'Deployment', shortNames: ['deploy'], hasGeneration: true, statusSubresource: true, note: UNRUN,
  columns: [column('Ready', object => `0/${replicas(object)}`), AGE_COLUMN],
  behaviour: { finish: object => ({ ...object, status: refused(object) }) },
})

export const keptKinds: readonly ServedKind[] = [...rbac, deployments]
