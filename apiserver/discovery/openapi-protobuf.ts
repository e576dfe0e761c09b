// OpenAPI v2 as protobuf, the only form in which kubectl reads it (for a `kind: List`, say). Field numbers are those of gnostic's OpenAPIv2.proto.

type Node = Record<string, unknown>
type Fields = Record<string, readonly [number, string]>

/** `name: [number, type]`; a type of ours is a message, `[]` behind it a list. */
const MESSAGES: Record<string, Fields> = {
  Document: { swagger: [1, 'string'], info: [2, 'Info'], paths: [8, 'Paths'], definitions: [9, 'Schemas'] },
  Info: { title: [1, 'string'], version: [2, 'string'] },
  Paths: { path: [2, 'NamedPath[]'] },
  NamedPath: { name: [1, 'string'], value: [2, 'Path'] },
  Path: { get: [2, 'Operation'], put: [3, 'Operation'], post: [4, 'Operation'], delete: [5, 'Operation'], patch: [8, 'Operation'] },
  Operation: { tags: [1, 'string[]'], description: [3, 'string'], operationId: [5, 'string'], consumes: [7, 'string[]'], parameters: [8, 'ParameterItem[]'], extensions: [13, 'Extension[]'] },
  ParameterItem: { parameter: [1, 'Parameter'] },
  Parameter: { body: [1, 'BodyParameter'], other: [2, 'OtherParameter'] },
  BodyParameter: { name: [2, 'string'], in: [3, 'string'], required: [4, 'bool'], schema: [5, 'Schema'] },
  OtherParameter: { query: [3, 'QueryParameter'] },
  QueryParameter: { in: [2, 'string'], description: [3, 'string'], name: [4, 'string'], type: [6, 'string'], uniqueItems: [20, 'bool'] },
  Schemas: { named: [1, 'NamedSchema[]'] },
  NamedSchema: { name: [1, 'string'], value: [2, 'Schema'] },
  Schema: {
    ref: [1, 'string'], format: [2, 'string'], title: [3, 'string'], description: [4, 'string'], default: [5, 'Any'], maximum: [7, 'double'], exclusiveMaximum: [8, 'bool'], minimum: [9, 'double'], exclusiveMinimum: [10, 'bool'],
    maxLength: [11, 'int64'], minLength: [12, 'int64'], pattern: [13, 'string'], maxItems: [14, 'int64'], minItems: [15, 'int64'], uniqueItems: [16, 'bool'], maxProperties: [17, 'int64'], minProperties: [18, 'int64'],
    required: [19, 'string[]'], enum: [20, 'Any[]'], additionalProperties: [21, 'Additional'], type: [22, 'Types'], items: [23, 'Items'], properties: [25, 'Schemas'], extensions: [31, 'Extension[]'],
  },
  Additional: { schema: [1, 'Schema'], boolean: [2, 'bool'] },
  Types: { value: [1, 'string[]'] },
  Items: { schema: [1, 'Schema[]'] },
  Extension: { name: [1, 'string'], value: [2, 'Any'] },
  Any: { yaml: [2, 'string'] },
}

/** Of the parts of a schema that pass as they are. */
const PLAIN = new Set(['format', 'title', 'description', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'maxLength', 'minLength', 'pattern', 'maxItems', 'minItems', 'uniqueItems', 'maxProperties', 'minProperties', 'required'])

/** `swagger` is the document as JSON has it. */
export async function encodeOpenApi(swagger: Node): Promise<Buffer> {
  const { default: protobuf } = await import('protobufjs/light.js')
  const nested = Object.fromEntries(Object.entries(MESSAGES).map(([name, fields]) => [name, { fields: Object.fromEntries(Object.entries(fields).map(([field, [id, type]]) => [field, { id, type: type.replace('[]', ''), ...type.endsWith('[]') ? { rule: 'repeated' as const } : {} }])) }]))
  const document = protobuf.Root.fromJSON({ nested }).lookupType('Document')
  const { swagger: version, info, paths, definitions } = swagger as { swagger: string; info: Node; paths: Record<string, Node>; definitions: Record<string, Node> }
  return Buffer.from(document.encode(document.fromObject({
    swagger: version, info, definitions: schemasOf(definitions),
    paths: { path: Object.entries(paths).map(([name, operations]) => ({ name, value: Object.fromEntries(Object.entries(operations).map(([verb, operation]) => [verb, operationOf(operation as Node)])) })) },
  })).finish())
}

const anyOf = (value: unknown): Node => ({ yaml: JSON.stringify(value) })
const extensionsOf = (node: Node): Node[] => Object.entries(node).filter(([name]) => name.startsWith('x-')).map(([name, value]) => ({ name, value: anyOf(value) }))
const schemasOf = (schemas: Record<string, Node>): Node => ({ named: Object.entries(schemas).map(([name, schema]) => ({ name, value: schemaOf(schema) })) })

function operationOf({ tags, description, operationId, consumes, parameters = [], ...rest }: Node): Node {
  const items = (parameters as Node[]).map(one => ({ parameter: one['in'] === 'body' ? { body: { ...one, schema: schemaOf(one['schema'] as Node) } } : { other: { query: one } } }))
  return { tags, description, operationId, consumes, parameters: items, extensions: extensionsOf(rest) }
}

function schemaOf(schema: Node): Node {
  const { $ref, default: usual, enum: words, type, items, properties, additionalProperties } = schema
  return {
    ...Object.fromEntries(Object.entries(schema).filter(([name]) => PLAIN.has(name))),
    ...$ref === undefined ? {} : { ref: $ref },
    ...usual === undefined ? {} : { default: anyOf(usual) },
    ...words === undefined ? {} : { enum: (words as unknown[]).map(anyOf) },
    ...type === undefined ? {} : { type: { value: [type] } },
    ...items === undefined ? {} : { items: { schema: [schemaOf(items as Node)] } },
    ...properties === undefined ? {} : { properties: schemasOf(properties as Record<string, Node>) },
    ...additionalProperties === undefined ? {} : { additionalProperties: typeof additionalProperties === 'boolean' ? { boolean: additionalProperties } : { schema: schemaOf(additionalProperties as Node) } },
    extensions: extensionsOf(schema),
  }
}
