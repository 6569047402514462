/**
 * zod -> structural schema of a CustomResourceDefinition (OpenAPI v3 as the API server takes it).
 *
 * Guarantee: what comes out says the same as the zod schema, or UnsupportedSchema is thrown with the field path.
 * Nothing is dropped in silence: a kind, a check or a meta key that is not known here is an error.
 */
import type * as z from 'zod';
import type { CelRule } from './fields.ts';
import { checksOf, enumBody, integerBody, type Meta, refuse, stringBody } from './structural-scalars.ts';
import { type StructuralSchema, UnsupportedSchema } from './structural-type.ts';

type AnySchema = z.core.$ZodTypes;
type Field = { schema: AnySchema; meta: Meta; optional: boolean; fallback?: { value: unknown } };

/**
 * Converts a zod schema; `path` is where it stands in the resource, for example `FineTuneJob.spec`.
 * Defaults (also prefault) become complete: an outer default has those of the fields inside it.
 * @throws UnsupportedSchema on anything a structural schema cannot say, on missing bounds and on missing prose.
 */
export function toStructuralSchema(schema: z.core.$ZodType, path: string): StructuralSchema {
  return convert(unwrap(schema, path), path);
}

/** Takes off optional, default and prefault; what the outer layers say about themselves wins. */
function unwrap(wrapped: z.core.$ZodType, path: string): Field {
  const schema = wrapped as AnySchema;
  const meta = metaOf(schema);
  const { def } = schema._zod;
  if (def.type !== 'optional' && def.type !== 'default' && def.type !== 'prefault')
    return { schema, meta, optional: false };
  const inner = unwrap(def.innerType, path);
  const field = { ...inner, meta: { ...inner.meta, ...meta }, optional: true };
  if (def.type === 'optional') return field;
  if (inner.fallback) throw new UnsupportedSchema(path, 'has two defaults; keep one');
  return { ...field, fallback: { value: completeDefault(def.innerType, def.defaultValue, path) } };
}

/** The default with the defaults inside it: the API server checks it, with all CEL rules, as it stands here. */
function completeDefault(schema: z.core.$ZodType, value: unknown, path: string): unknown {
  const parsed = (schema as z.ZodType).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UnsupportedSchema(path, `the default is not valid: ${parsed.error.issues[0]?.message}`);
}

function metaOf(schema: z.core.$ZodType): Meta {
  return (schema as z.ZodType).meta() ?? {};
}

const extensions = [
  'x-kubernetes-map-type',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
];

function convert(field: Field, path: string): StructuralSchema {
  const { meta, fallback } = field;
  const { body, metaUsed = [] } = bodyOf(field, path);
  const known = ['description', ...extensions, ...metaUsed];
  for (const key of Object.keys(meta))
    if (!known.includes(key)) throw new UnsupportedSchema(path, `meta "${key}" has no place in a CRD`);
  const schema: StructuralSchema & Record<string, unknown> = {
    ...(typeof meta['description'] === 'string' ? { description: meta['description'] } : {}),
    ...(fallback ? { default: fallback.value } : {}),
    ...body,
  };
  for (const key of extensions) if (meta[key] !== undefined) schema[key] = meta[key];
  const rules = [
    ...(body['x-kubernetes-validations'] ?? []),
    ...((meta['x-kubernetes-validations'] as CelRule[] | undefined) ?? []),
  ];
  if (rules.length > 0) schema['x-kubernetes-validations'] = rules;
  return schema;
}

/** The part of the schema that depends on its kind, and the meta keys that this part took up. */
function bodyOf({ schema, meta }: Field, path: string): { body: StructuralSchema; metaUsed?: string[] } {
  const { def } = schema._zod;
  switch (def.type) {
    case 'string':
      return { body: stringBody(def, meta, path), metaUsed: ['format'] };
    case 'number':
      return { body: integerBody(def, meta, path) };
    case 'boolean':
      return { body: { type: 'boolean' } };
    case 'enum':
      return { body: enumBody(Object.values(def.entries), path) };
    case 'literal':
      return { body: enumBody(def.values, path) };
    case 'array':
      return { body: listBody(def, meta, path) };
    case 'record':
      return { body: mapBody(def, meta, path), metaUsed: ['maxProperties'] };
    case 'object':
      return { body: objectBody(def, meta, path) };
    default:
      throw new UnsupportedSchema(path, `${def.type} is not structural; ${adviceFor(def.type)}`);
  }
}

function adviceFor(kind: string): string {
  if (kind === 'union') return 'make each member an optional field and add a CEL rule';
  if (kind === 'pipe' || kind === 'transform') return 'the API server cannot transform values';
  return 'use string, integer, boolean, enum, array, record or object';
}

function listBody(def: z.core.$ZodArrayDef, meta: Meta, path: string): StructuralSchema {
  const body: StructuralSchema = { type: 'array' };
  for (const check of checksOf(def, meta, path)) {
    const limit = check._zod.def;
    if (limit.check === 'min_length') body.minItems = limit.minimum;
    else if (limit.check === 'max_length') body.maxItems = limit.maximum;
    else refuse(check, path);
  }
  if (body.maxItems === undefined) throw new UnsupportedSchema(path, 'a list needs a largest size');
  if (meta['x-kubernetes-list-type'] === undefined)
    throw new UnsupportedSchema(path, 'a list needs x-kubernetes-list-type: atomic, set or map');
  return { ...body, items: element(def.element, `${path}[]`) };
}

/** Items and map values: they cannot be left out, so they have no default either. */
function element(schema: z.core.$ZodType, path: string): StructuralSchema {
  const field = unwrap(schema, path);
  if (field.optional) throw new UnsupportedSchema(path, 'an element cannot be optional or have a default');
  return convert(field, path);
}

/** A map from string to value. The rules for keys become CEL, since a structural schema has no propertyNames. */
function mapBody(def: z.core.$ZodRecordDef, meta: Meta, path: string): StructuralSchema {
  const { maxProperties } = meta;
  const keyDef = (def.keyType as AnySchema)._zod.def;
  if (typeof maxProperties !== 'number') throw new UnsupportedSchema(path, 'a map needs maxProperties');
  if (keyDef.type !== 'string') throw new UnsupportedSchema(path, 'the keys of a map are strings');
  const key = stringBody(keyDef, metaOf(def.keyType), `${path}{}`);
  const rules: CelRule[] = [
    {
      rule: `self.all(key, size(key) <= ${key.maxLength})`,
      message: `a key has at most ${key.maxLength} characters`,
    },
  ];
  if (key.pattern)
    rules.push({
      rule: `self.all(key, key.matches(${JSON.stringify(key.pattern)}))`,
      message: `a key must match ${key.pattern}`,
    });
  return {
    type: 'object',
    maxProperties,
    additionalProperties: element(def.valueType, `${path}{}`),
    'x-kubernetes-validations': rules,
  };
}

/** Keys that are not listed are refused by zod and pruned, or refused, by the API server: no keyword is needed. */
function objectBody(def: z.core.$ZodObjectDef, meta: Meta, path: string): StructuralSchema {
  if (def.catchall && def.catchall._zod.def.type !== 'never')
    throw new UnsupportedSchema(path, 'unknown fields cannot be kept; use strictObject');
  for (const check of checksOf(def, meta, path)) refuse(check, path);
  const required: string[] = [];
  const properties: Record<string, StructuralSchema> = {};
  for (const [name, member] of Object.entries(def.shape)) {
    const fieldPath = `${path}.${name}`;
    const field = unwrap(member, fieldPath);
    if (!field.meta['description']) throw new UnsupportedSchema(fieldPath, 'needs a description');
    if (!field.optional) required.push(name);
    properties[name] = convert(field, fieldPath);
  }
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties };
}
