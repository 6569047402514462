/** The largest object that a structural schema allows: every field set, every list full, every string at its end. */
import type { StructuralSchema } from '../../crds/structural-type.ts';

/** A value at all upper bounds of `schema`; strings with a pattern are filled by `samples` (field name -> text). */
export function largest(schema: StructuralSchema, samples: Record<string, string>, name = ''): unknown {
  if (schema.enum) return schema.enum.toSorted((a, b) => b.length - a.length)[0];
  if (schema.type === 'boolean') return false;
  if (schema.type === 'integer') return schema.maximum;
  if (schema.type === 'string') return samples[name] ?? text(schema, name);
  if (schema.items) return list(schema, schema.items, samples, name);
  const properties = Object.entries(schema.properties ?? {});
  return Object.fromEntries(properties.map(([field, inner]) => [field, largest(inner, samples, field)]));
}

function text({ maxLength, pattern, format }: StructuralSchema, name: string): string {
  if (format === 'date-time') return '2026-01-01T00:00:00.000Z';
  if (pattern) throw new Error(`no sample for ${name}, which must match ${pattern}`);
  return 'x'.repeat(maxLength ?? 0);
}

/** A list keyed by an enum holds each value of it once. */
function list(
  schema: StructuralSchema,
  items: StructuralSchema,
  samples: Record<string, string>,
  name: string,
): unknown[] {
  const key = schema['x-kubernetes-list-map-keys']?.[0];
  const keys = key === undefined ? undefined : items.properties?.[key]?.enum;
  const length = Math.min(schema.maxItems ?? 0, keys?.length ?? Number.POSITIVE_INFINITY);
  return Array.from({ length }, (_, index) => {
    const item = largest(items, samples, name);
    return key !== undefined && keys ? { ...(item as object), [key]: keys[index] } : item;
  });
}
