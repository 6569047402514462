/** Every object in examples/ is valid to the letter: no unknown field, nothing that only a default would repair. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as z from 'zod';
import { fineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import { fineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import { exampleObjects } from './examples.ts';

const schemas = new Map<string, z.ZodType>([
  ['FineTuneJob', fineTuneJobSpec],
  ['FineTuneRuntime', fineTuneRuntimeSpec],
]);
const examples = exampleObjects();

test('there are examples', () => assert.ok(examples.size > 0));

for (const [file, objects] of examples) {
  test(`examples/${file}`, () => {
    for (const { apiVersion, kind, spec } of objects) {
      const schema = schemas.get(kind);
      assert.ok(schema, `${kind} is not ours`);
      assert.equal(apiVersion, 'finetune.dev/v1alpha1');
      assert.equal(schema.safeParse(spec).error?.message, undefined);
    }
  });
}
