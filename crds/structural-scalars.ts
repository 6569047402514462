/** Strings, integers and enums of the structural schema, and the rules for checks (see structural-schema.ts). */
import type * as z from 'zod';
import { type StructuralSchema, UnsupportedSchema } from './structural-type.ts';

export type Meta = Record<string, unknown>;
type Check = z.core.$ZodChecks;

/** The checks of a schema. One that runs code needs a CEL rule beside it, since the API server cannot run it. */
export function checksOf(def: { checks?: unknown[] }, meta: Meta, path: string): Check[] {
  const checks = (def.checks ?? []) as (Check | z.core.$ZodCheck)[];
  return checks.filter((check): check is Check => {
    if (check._zod.def.check !== 'custom') return true;
    if (meta['x-kubernetes-validations']) return false;
    throw new UnsupportedSchema(path, 'has a refinement without a CEL rule (x-kubernetes-validations)');
  });
}

export function refuse(check: Check, path: string): never {
  throw new UnsupportedSchema(path, `the check "${check._zod.def.check}" has no place in a CRD`);
}

/** A string with bounds, at most one pattern, and of all formats only date-time (as meta). */
export function stringBody(def: z.core.$ZodStringDef, meta: Meta, path: string): StructuralSchema {
  const body: StructuralSchema = { type: 'string' };
  if ('format' in def)
    throw new UnsupportedSchema(path, 'string formats of zod are not those of the API server; use a pattern');
  for (const check of checksOf(def, meta, path)) {
    const limit = check._zod.def;
    if (limit.check === 'min_length') body.minLength = Math.max(limit.minimum, body.minLength ?? 0);
    else if (limit.check === 'max_length')
      body.maxLength = Math.min(limit.maximum, body.maxLength ?? Infinity);
    else if (limit.check === 'string_format' && limit.format === 'regex' && limit.pattern && !body.pattern)
      body.pattern = goPattern(limit.pattern, path);
    else refuse(check, path);
  }
  if (meta['format'] !== undefined) {
    if (meta['format'] !== 'date-time') throw new UnsupportedSchema(path, `format "${meta['format']}"`);
    body.format = 'date-time';
  }
  if (body.maxLength === undefined) throw new UnsupportedSchema(path, 'a string needs a largest length');
  return body;
}

/** The API server uses Go's regular expressions: no flags, no look-around, no back references. */
function goPattern(pattern: RegExp, path: string): string {
  if (pattern.flags) throw new UnsupportedSchema(path, `pattern ${pattern} has flags`);
  if (/\(\?[=!<]|\\[1-9k]/.test(pattern.source))
    throw new UnsupportedSchema(path, `pattern ${pattern} uses look-around or back references`);
  return pattern.source.replaceAll('\\/', '/');
}

const integerRange = {
  int32: { type: 'integer', format: 'int32', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  safeint: {
    type: 'integer',
    format: 'int64',
    minimum: Number.MIN_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
  },
} as const;

/** An integer with both bounds written out: 32 bits (z.int32) or what a double holds exactly (z.int). */
export function integerBody(def: z.core.$ZodNumberDef, meta: Meta, path: string): StructuralSchema {
  const format = 'format' in def ? def.format : undefined;
  if (format !== 'int32' && format !== 'safeint')
    throw new UnsupportedSchema(path, 'a number must be an int or int32; write decimals as strings');
  let { minimum, maximum }: { minimum: number; maximum: number } = integerRange[format];
  for (const check of checksOf(def, meta, path)) {
    const limit = check._zod.def;
    if (limit.check === 'greater_than' && limit.inclusive) minimum = Math.max(minimum, Number(limit.value));
    else if (limit.check === 'less_than' && limit.inclusive) maximum = Math.min(maximum, Number(limit.value));
    else if (limit.check !== 'number_format') refuse(check, path);
  }
  return { ...integerRange[format], minimum, maximum };
}

export function enumBody(values: readonly unknown[], path: string): StructuralSchema {
  const texts = values.filter((value) => typeof value === 'string');
  if (texts.length !== values.length)
    throw new UnsupportedSchema(path, `the values ${JSON.stringify(values)} are not all strings`);
  return { type: 'string', enum: texts };
}
