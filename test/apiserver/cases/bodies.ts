// Bodies and headers: what can be read, what is too large, what is no JSON.

import { type Case, apply, get, json, merge, post, put, quietly, strategic } from '../support/steps.ts'
import { widget, widgets } from '../support/widgets.ts'

const send = (name: string, body: string | Buffer, headers: Record<string, string> = {}, more: object = {}): Case => ({ name: `body: ${name}`, steps: [post(widgets(), body, { headers, ...more })] })
const yaml = { 'content-type': 'application/yaml' }
const reading = (name: string, accept: string, path = '/api/v1/namespaces/default/configmaps/read'): Case => ({ name: `accept: ${name}`, steps: [quietly(post('/api/v1/namespaces/default/configmaps', { metadata: { name: 'read' }, data: { a: 'b' } })), get(path, { headers: { accept } })] })

export const cases: Case[] = [
  send('no JSON at all', 'hello'),
  send('JSON that ends too early', '{"apiVersion":"example.dev/v1","kind":"Widget"'),
  send('nothing', ''),
  send('a list', '[]'),
  send('a text', '"x"'),
  send('null', 'null'),
  send('an empty object', '{}'),
  send('metadata of the wrong type', '{"apiVersion":"example.dev/v1","kind":"Widget","metadata":"x"}'),
  send('a name of the wrong type', '{"apiVersion":"example.dev/v1","kind":"Widget","metadata":{"name":1}}'),
  send('a kind of the wrong type', '{"apiVersion":"example.dev/v1","kind":1}'),
  send('YAML', 'apiVersion: example.dev/v1\nkind: Widget\nmetadata:\n  name: from-yaml\nspec:\n  size: 2\n', yaml),
  send('YAML that is none', 'a: b: c\n- x', yaml),
  send('YAML with a key twice', 'apiVersion: example.dev/v1\nkind: Widget\nmetadata:\n  name: yaml-twice\nspec:\n  size: 2\n  size: 3\n', yaml),
  send('XML', '<a/>', { 'content-type': 'application/xml' }),
  send('text', 'x', { 'content-type': 'text/plain' }),
  send('4 MiB', JSON.stringify(widget('large', { size: 1, free: { x: 'y'.repeat(4 * 1024 * 1024) } })), {}, { compare: 'code' }),
  send('nested deeply', `{"apiVersion":"example.dev/v1","kind":"Widget","metadata":{"name":"deep"},"spec":{"size":1,"free":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`, {}, { compare: 'code' }),
  { name: 'body: an update with another name', steps: [quietly(post(widgets(), widget('named'))), put(widgets('default', 'named'), widget('other')), put(widgets('default', 'named'), { ...widget('named'), metadata: {} })] },
  { name: 'body: patches of unknown types', steps: [quietly(post(widgets(), widget('types'))), { method: 'PATCH', path: widgets('default', 'types'), body: '{}', headers: { 'content-type': 'application/json' } }, { method: 'PATCH', path: widgets('default', 'types'), body: '{}', headers: { 'content-type': 'text/plain' } }, strategic(widgets('default', 'types'), { spec: { size: 2 } })] },
  { name: 'body: patches that cannot be read', steps: [quietly(post(widgets(), widget('unreadable'))), merge(widgets('default', 'unreadable'), 'x'), merge(widgets('default', 'unreadable'), '[]'), json(widgets('default', 'unreadable'), 'x'), json(widgets('default', 'unreadable'), '{}'), json(widgets('default', 'unreadable'), [{ op: 'swap', path: '/spec' }]), apply(`${widgets('default', 'unreadable')}?fieldManager=a`, 'a: b: c'), apply(`${widgets('default', 'unreadable')}?fieldManager=a`, '[]')] },
  reading('JSON', 'application/json'),
  reading('anything', '*/*'),
  reading('YAML', 'application/yaml'),
  reading('protobuf first, JSON second', 'application/vnd.kubernetes.protobuf,application/json;q=0.9', '/apis/example.dev/v1/namespaces/default/widgets?limit=1&labelSelector=none%3Dnone'),
  reading('protobuf alone', 'application/vnd.kubernetes.protobuf', '/apis/example.dev/v1/namespaces/default/widgets'),
  reading('text alone', 'text/plain', '/apis/example.dev/v1/namespaces/default/widgets'),
  reading('an unknown transformation', 'application/json;as=Nothing;g=meta.k8s.io;v=v1', '/apis/example.dev/v1/namespaces/default/widgets'),
]
