/** Edits of a FineTuneJob's spec, generated from the schema of its CRD: valid, at a bound, and wrong. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';

type Schema = {
  type?: string;
  properties?: Record<string, Schema>;
  enum?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  items?: Schema;
};

/** A dotted path and what is set there; `undefined` removes the field. */
export type Edit = { path: string; value: unknown };

const file = join(import.meta.dirname, '../../crds/finetunejobs.yaml');
const crd = parse(readFileSync(file, 'utf8')) as {
  spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: Schema } } } }[] };
};
const specSchema = crd.spec.versions[0]!.schema.openAPIV3Schema.properties.spec;

/** Paths of all fields that are no objects, with their schemas. runId is left to the tests; managedBy makes a job somebody else's. */
export const leaves: readonly { path: string; schema: Schema }[] = leavesOf('spec', specSchema).filter(
  ({ path }) => path !== 'spec.runId' && path !== 'spec.managedBy',
);

function leavesOf(path: string, schema: Schema): { path: string; schema: Schema }[] {
  if (schema.type !== 'object' || schema.properties === undefined) return [{ path, schema }];
  return Object.entries(schema.properties).flatMap(([name, each]) => leavesOf(`${path}.${name}`, each));
}

const hostile = [
  '',
  ' ',
  '../../etc/passwd',
  'ünïcödé 🦄',
  'a\nb',
  '\u0000',
  '$(rm -rf /)',
  '{{ .Values }}',
  '-1',
  '1e999',
  'NaN',
  '99999999999999999999Ti',
];

/** What no type is: another type, nothing, a structure. */
const wrongTypes = fc.constantFrom<unknown>(null, true, -1, 1.5, 1e300, [], {}, { a: 1 }, ['x'], 'text');

export function anyOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: validOf(schema) },
    { weight: 2, arbitrary: boundaryOf(schema) },
    { weight: 1, arbitrary: wrongTypes },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

export function validOf({
  type,
  enum: choices,
  pattern,
  minimum,
  maximum,
  maxLength = 64,
  items,
  maxItems = 4,
}: Schema) {
  if (choices !== undefined) return fc.constantFrom<unknown>(...choices);
  switch (type) {
    case 'integer':
      return fc.integer({ min: minimum ?? 0, max: Math.min(maximum ?? 1000, 2 ** 31 - 1) });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(anyOf(items ?? {}), { maxLength: Math.min(maxItems, 4) });
    default:
      if (pattern === undefined) return fc.string({ minLength: 1, maxLength });
      return fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
  }
}

function boundaryOf({
  type,
  minimum = 0,
  maximum = 2 ** 31 - 1,
  maxLength = 1024,
}: Schema): fc.Arbitrary<unknown> {
  if (type === 'integer') return fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1);
  return fc.constantFrom<unknown>(...hostile, 'a'.repeat(maxLength), 'a'.repeat(maxLength + 1));
}

/** A few edits of the smallest valid spec. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.constantFrom(...leaves).chain(({ path, schema }) => anyOf(schema).map((value) => ({ path, value }))),
  { minLength: 1, maxLength: 3 },
);

/** Each field once, alone, with a value that its own schema allows: what chance might leave out. */
export function everyField(seed: number): [Edit[]][] {
  return leaves.map(({ path, schema }) => {
    const [value] = fc.sample<unknown>(validOf(schema), { seed, numRuns: 1 });
    return [[{ path, value }]];
  });
}
