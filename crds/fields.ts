/** Field types shared by both resources. Decimals are strings, because CRDs and floating point do not mix. */
import * as z from 'zod';

/** A CEL rule as `x-kubernetes-validations` takes it. */
export type CelRule = { rule: string; message: string; fieldPath?: string };

/** Attaches CEL rules to a schema; the structural converter copies them into the CRD. */
export function withRules<T extends z.ZodType>(schema: T, rules: readonly CelRule[]): T {
  return schema.meta({ ...schema.meta(), 'x-kubernetes-validations': rules }) as T;
}

/** Bounds of a decimal: `above` and `below` are not included themselves, `atMost` is. */
export type DecimalBounds = { above?: number; below?: number; atMost?: number };

function bounded(schema: z.ZodString, { above, below, atMost }: DecimalBounds): z.ZodString {
  const bounds = [
    { limit: above, operator: '>', text: 'greater than', holds: (x: number, y: number) => x > y },
    { limit: below, operator: '<', text: 'less than', holds: (x: number, y: number) => x < y },
    { limit: atMost, operator: '<=', text: 'at most', holds: (x: number, y: number) => x <= y },
  ];
  let checked = schema;
  const rules: CelRule[] = [];
  for (const { limit, operator, text, holds } of bounds) {
    if (limit === undefined) continue;
    const message = `must be ${text} ${limit}`;
    checked = checked.refine((value) => holds(Number(value), limit), message);
    rules.push({ rule: `double(self) ${operator} double(${limit})`, message });
  }
  return rules.length > 0 ? withRules(checked, rules) : checked;
}

/** A non-negative decimal such as "5e-5" or "0.06", at most 24 characters. */
export function decimal(description: string, bounds: DecimalBounds = {}): z.ZodString {
  const schema = z
    .string()
    .max(24)
    .regex(/^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$/);
  return bounded(schema, bounds).describe(`${description} A decimal in quotes, for example "0.1" or "5e-5".`);
}

/** A decimal from 0 to 1, both included unless `bounds` say otherwise. */
export function fraction(description: string, bounds: DecimalBounds = {}): z.ZodString {
  const schema = z
    .string()
    .max(24)
    .regex(/^(0(\.[0-9]{1,20})?|1(\.0{1,20})?)$/);
  return bounded(schema, bounds).describe(
    `${description} A decimal from 0 to 1 in quotes, for example "0.1".`,
  );
}

/** A decimal as the operator writes it into status: sign allowed, never NaN or infinite. */
export function statusDecimal(description: string): z.ZodString {
  return z
    .string()
    .max(32)
    .regex(/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$/)
    .describe(description);
}

/** Name of a Kubernetes object in the same namespace (RFC 1123 subdomain). */
export function objectName(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    .describe(description);
}

/** A relative path: no leading slash, no `..`, no empty or hidden segment, no control characters. */
export function relativePath(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(512)
    .regex(/^[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]*(\/[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]*)*$/)
    .describe(description);
}

/** A Kubernetes quantity such as "500m", "2" or "8Gi". */
export function quantity(description: string): z.ZodString {
  return z
    .string()
    .max(24)
    .regex(/^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/)
    .describe(description);
}

/** A quantity of CPU, at least a hundredth of one. */
export function cpuQuantity(description: string): z.ZodString {
  return withRules(quantity(description), [
    { rule: "quantity(self).compareTo(quantity('10m')) >= 0", message: 'must be at least 10m' },
  ]);
}

/** A quantity of memory. The lower bound catches a forgotten unit: "8" is eight bytes. */
export function memoryQuantity(description: string): z.ZodString {
  return withRules(quantity(description), [
    {
      rule: "quantity(self).compareTo(quantity('64Mi')) >= 0",
      message: 'must be at least 64Mi; without a unit the number is in bytes, so write for example 8Gi',
    },
  ]);
}

/** A text of at most so many characters, as the operator writes it into status. */
export function text(max: number, description: string) {
  return z.string().max(max).describe(description);
}

/** A number of things, as the operator writes it into status. */
export function count(description: string) {
  return z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe(description);
}

/** An RFC 3339 time stamp in UTC. */
export function timestamp(description: string) {
  return z.string().max(32).meta({ format: 'date-time' }).describe(description);
}

export function digest(description: string): z.ZodString {
  return z
    .string()
    .max(71)
    .regex(/^sha256:[0-9a-f]{64}$/)
    .describe(description);
}
