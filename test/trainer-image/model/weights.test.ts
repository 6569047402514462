import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParameterSpec } from '../../../trainer-image/model/parameters.ts';
import type { StoredType } from '../../../trainer-image/model/stored-types.ts';
import { mapWeights } from '../../../trainer-image/model/weights.ts';

const parameters: ParameterSpec[] = [
  { name: 'bert.embeddings.weight', shape: [4, 2] },
  { name: 'bert.LayerNorm.weight', shape: [2] },
  { name: 'bert.LayerNorm.bias', shape: [2] },
  { name: 'bert.pooler.weight', shape: [2, 2], initial: 'normal' },
  { name: 'classifier.weight', shape: [3, 2], initial: 'normal' },
];
const shapes: Record<string, number[]> = Object.fromEntries(
  parameters.map(({ name, shape }) => [name, [...shape]]),
);
const entries = (given: Record<string, number[]>, types: Record<string, StoredType> = {}) =>
  new Map(
    Object.entries(given).map(([name, shape]) => [
      name,
      { dtype: types[name] ?? 'F32', shape, begin: 0, end: 0 },
    ]),
  );
const renamed = (change: (name: string) => string) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [change(name), shape]));
const map = (given: Record<string, number[]>) => mapWeights(entries(given), parameters, 'bert.');

test('a checkpoint of the same class is used whole', () => {
  const { keys, newlyInitialized, unusedKeys } = map(shapes);
  assert.deepEqual([...keys.keys()], Object.keys(shapes));
  assert.deepEqual([newlyInitialized, unusedKeys], [[], []]);
});

test('keys without the prefix are found', () => {
  const { keys } = map(renamed((name) => name.replace('bert.', '')));
  assert.equal(keys.get('bert.embeddings.weight'), 'embeddings.weight');
  assert.equal(keys.get('classifier.weight'), 'classifier.weight');
});

test('the old names gamma and beta are found', () => {
  const old = (name: string) =>
    name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
  assert.equal(map(renamed(old)).keys.get('bert.LayerNorm.weight'), 'bert.LayerNorm.gamma');
});

test('head and pooler may be missing and are listed; foreign keys are listed as unused', () => {
  const { 'classifier.weight': _head, 'bert.pooler.weight': _pooler, ...rest } = shapes;
  const found = map({ ...rest, 'cls.predictions.bias': [4], 'bert.embeddings.position_ids': [1, 4] });
  assert.deepEqual(found.newlyInitialized, ['bert.pooler.weight', 'classifier.weight']);
  assert.deepEqual(found.unusedKeys, ['cls.predictions.bias', 'bert.embeddings.position_ids']);
});

test('any other missing tensor and every wrong shape is an error that names all of them', () => {
  const { 'bert.LayerNorm.bias': _bias, ...rest } = shapes;
  assert.throws(() => map({ ...rest, 'bert.embeddings.weight': [4, 3] }), {
    category: 'ModelError',
    message:
      'The checkpoint does not fit its config.json: 1 tensors are missing: bert.LayerNorm.bias; ' +
      '1 tensors have another shape: bert.embeddings.weight is [4, 3], want [4, 2].',
  });
});

test('a classifier for another number of labels is an error with its own hint', () => {
  assert.throws(() => map({ ...shapes, 'classifier.weight': [5, 2] }), { hint: /another number of labels/ });
});

test('tensors of a type that is no weight are an error that names them', () => {
  // Half precision is read, and what is not used may be of any type.
  const types = {
    'bert.embeddings.weight': 'I8',
    'bert.LayerNorm.bias': 'BF16',
    'bert.embeddings.position_ids': 'I64',
  } as const;
  const quantised = entries({ ...shapes, 'bert.embeddings.position_ids': [1] }, types);
  assert.throws(() => mapWeights(quantised, parameters, 'bert.'), {
    category: 'ModelError',
    message:
      'The checkpoint has 1 tensors of a type that is not read as a weight: bert.embeddings.weight is I8.',
    hint: /F32, F16, BF16/,
  });
});

test('a checkpoint of something else is refused', () => {
  assert.throws(() => map({ 'transformer.wte.weight': [4, 2] }), /3 tensors are missing/);
});
