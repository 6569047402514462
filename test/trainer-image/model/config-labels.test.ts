import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsOfConfig, labelsOfHead } from '../../../trainer-image/model/config-labels.ts';

test('the labels of a config are in the order of their ids, however they are written down', () => {
  const ids = Array.from({ length: 12 }, (_, id) => [String(11 - id), `label ${11 - id}`]);
  assert.deepEqual(
    labelsOfConfig({ id2label: Object.fromEntries(ids) }),
    ids.map(([, label]) => label).reverse(),
  );
});

test('what is no list of different labels is none', () => {
  const broken = [undefined, null, 7, 'x', {}, { 1: 'a', 2: 'b' }, { 0: 'a', 1: 'a' }, { 0: 'a', 1: 7 }];
  for (const id2label of broken) assert.deepEqual(labelsOfConfig({ id2label }), [], JSON.stringify(id2label));
});

test('a head knows labels if the checkpoint has all its weights and config.json names them', () => {
  const named = { id2label: { 0: 'ham', 1: 'spam' } };
  assert.deepEqual(labelsOfHead(named, []), ['ham', 'spam']);
  assert.equal(labelsOfHead(named, ['classifier.weight']), undefined);
  assert.equal(labelsOfHead({ id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } }, []), undefined);
  assert.equal(labelsOfHead({}, []), undefined);
});
