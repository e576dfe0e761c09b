// The shapes that the schema's functions pass to each other: JSON values, schema nodes, errors by field.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export interface JsonObject { [key: string]: Json }

/** A rule in CEL, as `x-kubernetes-validations` holds it. */
export interface ValidationRule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  fieldPath?: string
  optionalOldSelf?: boolean
}

/**
 * A node of a structural schema, as a CustomResourceDefinition's `openAPIV3Schema` holds it. Keywords that are not
 * named here (description, title, example …) are carried along and change nothing.
 */
export interface SchemaNode {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  format?: string
  nullable?: boolean
  default?: Json
  properties?: Record<string, SchemaNode>
  additionalProperties?: SchemaNode | boolean
  items?: SchemaNode
  required?: readonly string[]
  enum?: readonly Json[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  multipleOf?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  minProperties?: number
  maxProperties?: number
  allOf?: readonly SchemaNode[]
  anyOf?: readonly SchemaNode[]
  oneOf?: readonly SchemaNode[]
  not?: SchemaNode
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: readonly string[]
  'x-kubernetes-map-type'?: 'granular' | 'atomic'
  'x-kubernetes-validations'?: readonly ValidationRule[]
  /** Strategic merge patch: of built-in kinds only. */
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-patch-strategy'?: string
  [keyword: string]: unknown
}

/** Reasons of `metav1.StatusCause` that a field can have. */
export type CauseReason =
  | 'FieldValueInvalid' | 'FieldValueRequired' | 'FieldValueNotSupported' | 'FieldValueDuplicate' | 'FieldValueForbidden'
  | 'FieldValueNotFound' | 'FieldValueTooLong' | 'FieldValueTooMany' | 'FieldValueTypeInvalid' | 'InternalError'

/** One complaint about one field: an entry of `status.details.causes`, as it goes over the wire. */
export interface FieldError {
  reason: CauseReason
  /** Without the field: `Invalid value: "x": must be …`. */
  message: string
  /** As in `spec.disks[0].name`; `<nil>` where the complaint is about no field. */
  field: string
}
