/** A planted defect is told by text of the operator: here it is seen within milliseconds whether that text is still there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { patched } from './bundle.ts';
import { mutants } from './mutants.ts';

const root = join(import.meta.dirname, '../..');

for (const { name, patches } of mutants) {
  test(`can be planted: ${name}`, async () => {
    for (const patch of patches) {
      const source = await readFile(join(root, patch.file), 'utf8');
      assert.notEqual(patched(source, patch), source);
    }
  });
}
