/** A planted defect is told by text of the operator: here it is seen within milliseconds whether that text is still there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutants } from './mutants.ts';

const root = join(import.meta.dirname, '../..');

for (const { name, patches } of mutants) {
  test(`can be planted: ${name}`, async () => {
    for (const { file, find } of patches) {
      const source = await readFile(join(root, file), 'utf8');
      assert.equal(source.split(find).length - 1, 1, `${file}: "${find}" has to be there once`);
    }
  });
}
