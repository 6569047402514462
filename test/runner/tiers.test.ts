import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { chosenTiers, testFiles, tierOf, tiers } from './tiers.ts';

test('the path of a file decides on its tier', () => {
  const cases = {
    'test/operator/decide/lifecycle.test.ts': 'unit',
    'test/crds/admission.contract.test.ts': 'contract',
    'test/faults/faults.test.ts': 'faults',
    'test/trainer-image/graph/ops.test.ts': 'trainer',
    'test/golden/logits.test.ts': 'trainer',
    'test/cluster/lifecycle.test.ts': 'cluster',
    'test/helm/chart.test.ts': 'cluster',
    'test/e2e/spam-filter.test.ts': 'e2e',
  };
  for (const [path, want] of Object.entries(cases)) assert.equal(tierOf(path), want, path);
});

test('every test file of the repository is in a tier, once', () => {
  const files = [...testFiles(join(import.meta.dirname, '../..')).values()].flat();
  assert.ok(files.includes('test/runner/tiers.test.ts'));
  assert.equal(new Set(files).size, files.length);
});

test('arguments choose tiers, in the order of the table', () => {
  assert.deepEqual(
    chosenTiers(['contract', 'unit']).map(({ name }) => name),
    ['unit', 'contract'],
  );
  assert.equal(chosenTiers([]).length, tiers.length);
  assert.throws(() => chosenTiers(['unti']), /"unti" is no tier; there are: check, unit/);
});
