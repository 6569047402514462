/** Every object in examples/ is valid to the letter: no unknown field, nothing that only a default would repair. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { fineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import { fineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';

const folder = join(import.meta.dirname, '../../examples');
const schemas = new Map<string, z.ZodType>([
  ['FineTuneJob', fineTuneJobSpec],
  ['FineTuneRuntime', fineTuneRuntimeSpec],
]);
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));

test('there are examples', () => assert.ok(files.length > 0));

for (const file of files) {
  test(`examples/${file}`, () => {
    for (const document of parseAllDocuments(readFileSync(join(folder, file), 'utf8'))) {
      assert.deepEqual(document.errors, []);
      const { apiVersion, kind, spec } = document.toJS() as {
        apiVersion: string;
        kind: string;
        spec: unknown;
      };
      const schema = schemas.get(kind);
      assert.ok(schema, `${kind} is not ours`);
      assert.equal(apiVersion, 'finetune.dev/v1alpha1');
      const { error } = schema.safeParse(spec);
      assert.equal(error?.message, undefined);
    }
  });
}
