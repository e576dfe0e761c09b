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
  | 'FieldValueTooLong' | 'FieldValueTooMany' | 'FieldValueTypeInvalid'

/** One complaint about one field: an entry of `status.details.causes`, as it goes over the wire. */
export interface FieldError {
  reason: CauseReason
  /** Without the field: `Invalid value: "x": must be …`. */
  message: string
  /** As in `spec.disks[0].name`; `<nil>` where the complaint is about no field. */
  field: string
}

/** A schema made ready once per version of a kind. Its members are for the modules beside this one. */
export interface CompiledSchema {
  /** As the kind's definition has it, with apiVersion, kind and the whole of metadata described. */
  readonly root: SchemaNode
  /** The rules in CEL; undefined where there are none. */
  readonly rules: unknown
  /**
   * Of a built-in kind: the fields that its Go type always prints, with what they are when nobody set them. Its other empty
   * fields fall away. Undefined for all other kinds.
   */
  readonly zeros: JsonObject | undefined
}

/** What a kind's writes are checked against. */
export interface ResourceRules {
  readonly schema: CompiledSchema
  /** As in `vireo.dev/v1alpha1`. */
  readonly apiVersion: string
  readonly kind: string
  readonly namespaced: boolean
  /** Whether the kind has the subresource /status: then a write of the object leaves its status alone, and the reverse. */
  readonly statusSubresource: boolean
  /** What names may be. Default: DNS subdomains. */
  readonly names?: 'subdomain' | 'label' | 'any'
  /** Whether metadata.generation counts changes. Default: it does; most built-in kinds have none. */
  readonly hasGeneration?: boolean
  /** What else a kind asks of its objects; `old` is undefined at a create. */
  readonly also?: (object: JsonObject, old: JsonObject | undefined) => FieldError[]
}
