import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as z from 'zod';
import { toStructuralSchema } from '../../crds/structural-schema.ts';
import { UnsupportedSchema } from '../../crds/structural-type.ts';

const text = z.string().max(8);
const atomic = { 'x-kubernetes-list-type': 'atomic' };

suite('what a CRD can hold', () => {
  const cases: Record<string, { given: z.ZodType; want: object }> = {
    'a string': { given: text.min(1), want: { type: 'string', minLength: 1, maxLength: 8 } },
    'a string with a pattern, slashes unescaped as Go wants them': {
      given: text.regex(/^a\/b$/),
      want: { type: 'string', maxLength: 8, pattern: '^a/b$' },
    },
    'a time': {
      given: text.meta({ format: 'date-time' }),
      want: { type: 'string', format: 'date-time', maxLength: 8 },
    },
    'an enum': { given: z.enum(['A', 'B']), want: { type: 'string', enum: ['A', 'B'] } },
    'a constant': { given: z.literal('A'), want: { type: 'string', enum: ['A'] } },
    'a boolean with a default': {
      given: z.boolean().default(true),
      want: { type: 'boolean', default: true },
    },
    'a 32-bit integer, with both ends written out': {
      given: z.int32().min(1),
      want: { type: 'integer', format: 'int32', minimum: 1, maximum: 2_147_483_647 },
    },
    'an integer that a double holds exactly': {
      given: z.int().max(5),
      want: { type: 'integer', format: 'int64', minimum: Number.MIN_SAFE_INTEGER, maximum: 5 },
    },
    'a list': {
      given: z.array(text).min(1).max(3).meta(atomic),
      want: {
        type: 'array',
        minItems: 1,
        maxItems: 3,
        'x-kubernetes-list-type': 'atomic',
        items: { type: 'string', maxLength: 8 },
      },
    },
    'a map, with a rule for its keys': {
      given: z.record(text.regex(/^[a-z]+$/), z.boolean()).meta({ maxProperties: 2 }),
      want: {
        type: 'object',
        maxProperties: 2,
        additionalProperties: { type: 'boolean' },
        'x-kubernetes-validations': [
          { rule: 'self.all(key, size(key) <= 8)', message: 'a key has at most 8 characters' },
          { rule: 'self.all(key, key.matches("^[a-z]+$"))', message: 'a key must match ^[a-z]+$' },
        ],
      },
    },
    'an object: no additionalProperties, optional fields not required': {
      given: z.strictObject({ a: text.describe('A.'), b: text.optional().describe('B.') }).describe('Both.'),
      want: {
        description: 'Both.',
        type: 'object',
        required: ['a'],
        properties: {
          a: { description: 'A.', type: 'string', maxLength: 8 },
          b: { description: 'B.', type: 'string', maxLength: 8 },
        },
      },
    },
    'an object that has one owner': {
      given: z.strictObject({}).meta({ 'x-kubernetes-map-type': 'atomic' }),
      want: { 'x-kubernetes-map-type': 'atomic', type: 'object', properties: {} },
    },
    'a default of an object that has those of its fields': {
      given: z
        .strictObject({ a: text.default('x').describe('A.'), b: text.optional().describe('B.') })
        .prefault({}),
      want: {
        type: 'object',
        default: { a: 'x' },
        properties: {
          a: { description: 'A.', type: 'string', maxLength: 8, default: 'x' },
          b: { description: 'B.', type: 'string', maxLength: 8 },
        },
      },
    },
    'a refinement that has a CEL rule beside it': {
      given: text
        .refine((value) => value !== 'x')
        .meta({ 'x-kubernetes-validations': [{ rule: "self != 'x'", message: 'not x' }] }),
      want: {
        type: 'string',
        maxLength: 8,
        'x-kubernetes-validations': [{ rule: "self != 'x'", message: 'not x' }],
      },
    },
    'a description on an outer layer, which wins': {
      given: text.describe('inner').optional().describe('outer'),
      want: { description: 'outer', type: 'string', maxLength: 8 },
    },
  };
  for (const [name, { given, want }] of Object.entries(cases))
    test(name, () => assert.deepEqual(toStructuralSchema(given, 'x'), want));
});

suite('what a CRD cannot hold is refused with the path of the field', () => {
  const object = (field: z.ZodType) => z.strictObject({ field: field.describe('A field.') });
  const cases: Record<string, { given: z.ZodType; want: RegExp }> = {
    'a union': { given: z.union([text, z.boolean()]), want: /union is not structural; make each member an/ },
    'a discriminated union': {
      given: z.discriminatedUnion('kind', [z.strictObject({ kind: z.literal('a') })]),
      want: /union is not structural/,
    },
    'a nullable': { given: text.nullable(), want: /nullable is not structural/ },
    'a transform': { given: text.transform(Number), want: /pipe is not structural; the API server cannot/ },
    anything: { given: z.unknown(), want: /unknown is not structural/ },
    'a tuple': { given: z.tuple([text]), want: /tuple is not structural/ },
    'a date': { given: z.date(), want: /date is not structural/ },
    'a float': { given: z.number(), want: /write decimals as strings/ },
    'a string without end': { given: z.string(), want: /a string needs a largest length/ },
    'a string format of zod': { given: z.email().max(8), want: /use a pattern/ },
    'a format that the API server does not know': { given: text.meta({ format: 'ipv9' }), want: /ipv9/ },
    'two patterns': { given: text.regex(/a/).regex(/b/), want: /"string_format" has no place/ },
    'a pattern with flags': { given: text.regex(/a/i), want: /has flags/ },
    'a pattern with look-ahead': { given: text.regex(/a(?=b)/), want: /look-around/ },
    'a pattern with look-behind': { given: text.regex(/(?<!a)b/), want: /look-around/ },
    'a pattern with a back reference': { given: text.regex(/(a)\1/), want: /back references/ },
    'a check that changes the value': { given: text.trim(), want: /"overwrite" has no place/ },
    'a refinement without a CEL rule': { given: text.refine(() => true), want: /without a CEL rule/ },
    'an exclusive bound': { given: z.int32().gt(0), want: /"greater_than" has no place/ },
    'a multiple': { given: z.int32().multipleOf(8), want: /"multiple_of" has no place/ },
    'an enum of numbers': { given: z.literal([1, 2]), want: /not all strings/ },
    'a list without end': { given: z.array(text).meta(atomic), want: /a list needs a largest size/ },
    'a list that does not say how it merges': { given: z.array(text).max(2), want: /x-kubernetes-list-type/ },
    'an optional item': {
      given: z.array(text.optional()).max(2).meta(atomic),
      want: /field\[\]: an element cannot be optional/,
    },
    'a map without end': { given: z.record(text, text), want: /a map needs maxProperties/ },
    'a map with keys that are not strings': {
      given: z.record(z.enum(['a']), text).meta({ maxProperties: 1 }),
      want: /the keys of a map are strings/,
    },
    'an object that keeps unknown fields': {
      given: z.looseObject({}),
      want: /unknown fields cannot be kept/,
    },
    'an object with a refinement': {
      given: z.strictObject({}).refine(() => true),
      want: /without a CEL rule/,
    },
    'a field without a description, deeper': {
      given: z.strictObject({ inner: text }),
      want: /^x\.field\.inner: needs a description/,
    },
    'two defaults': { given: text.default('a').optional().default('b'), want: /two defaults/ },
    'a default that is not valid': { given: text.default('much too long'), want: /the default is not valid/ },
    'a meta key that CRDs do not have': {
      given: text.meta({ title: 'Text' }),
      want: /meta "title" has no place/,
    },
  };
  for (const [name, { given, want }] of Object.entries(cases)) {
    test(name, () => {
      const convert = () => toStructuralSchema(object(given), 'x');
      assert.throws(convert, (error) => error instanceof UnsupportedSchema && want.test(error.message));
      assert.throws(convert, /^UnsupportedSchema: x\.field/);
    });
  }
});
