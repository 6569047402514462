import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Tensor } from '../../../trainer-image/graph/graph.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { buildTrainingGraph } from '../../../trainer-image/model/training-graph.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import { frozenWeights } from '../../../trainer-image/optim/freezing.ts';
import { learningRateScales } from '../../../trainer-image/optim/layer-decay.ts';
import { trainedNumbers } from '../../../trainer-image/optim/size.ts';
import { sequenceClassification as task } from '../../../trainer-image/tasks/sequence-classification.ts';
import { golden, smallModel, updateOf } from '../model/fixtures.ts';

const { architecture } = readArchitecture(smallModel, { task: 'SequenceClassification', labels: 3 });
const names = architecture.parameters.map(({ name }) => name);
const layer = (index: number) => names.filter((name) => name.startsWith(`bert.encoder.layer.${index}.`));
const embeddings = names.filter((name) => name.startsWith('bert.embeddings.'));

test('a pattern is the beginning of a name up to a dot, with * and ranges of numbers', () => {
  const frozen = (...patterns: string[]) => [...frozenWeights(names, patterns)].sort();
  assert.deepEqual(frozen('bert.encoder.layer.0-1'), [...layer(0), ...layer(1)].sort());
  assert.deepEqual(frozen('bert.embeddings', 'bert.encoder.layer.2'), [...embeddings, ...layer(2)].sort());
  assert.deepEqual(
    frozen('*.encoder.*.*.output.dense.bias'),
    [0, 1, 2].map((index) => `bert.encoder.layer.${index}.output.dense.bias`),
  );
  assert.deepEqual(frozen('classifier.weight'), ['classifier.weight']);
});

test('a pattern that matches nothing is refused by its place, and so is freezing everything', () => {
  const refused =
    (...patterns: string[]) =>
    () =>
      frozenWeights(names, patterns);
  assert.throws(refused('bert', 'bert.embed'), /training\.freeze\[1\]: 'bert\.embed' matches no weight/);
  assert.throws(refused('bert.encoder.layer.3-9'), /matches no weight/);
  assert.throws(refused('classifier.weight.more'), /matches no weight/);
  assert.throws(refused('bert', 'classifier'), { category: 'ConfigError', message: /leaves no weight/ });
});

test('the longest patterns and names are matched at once', () => {
  const name = Array(120).fill('a').join('.');
  const patterns = Array.from({ length: 64 }, () => Array(120).fill('*').join('.'));
  const before = process.threadCpuUsage();
  frozenWeights([...Array.from({ length: 1000 }, () => name), 'b'], patterns);
  assert.ok(process.threadCpuUsage(before).user < 2e6, 'microseconds of computing, whatever else runs');
});

/** All that is computed for a tensor, and itself. */
function computedFor({ node }: Tensor): Set<Node> {
  const found = new Set([node]);
  for (const { inputs, controls } of found)
    for (const before of [...inputs.map((input) => input.node), ...controls]) found.add(before);
  return found;
}

/** Nodes of each kind in the part of the graph that trains. */
function nodesOf(freeze: string[]) {
  const options = { ...updateOf(golden('bert-small')), freeze };
  const { update } = buildTrainingGraph(architecture, { task, labels: 3 }, options);
  const nodes = [...computedFor(update.applied)];
  const count = (pick: (node: Node) => boolean) => nodes.filter(pick).length;
  return {
    products: count(({ name, op }) => name.includes('gradient/') && /MatMul/.test(op)),
    gradientNodes: count(({ name }) => name.includes('gradient/')),
    updates: count(({ op }) => op === 'ResourceApplyAdam'),
    variables: count(({ op }) => op === 'VarHandleOp'),
  };
}

test('frozen parts cost no gradient work, no optimiser state and no update', () => {
  const all = nodesOf([]);
  assert.equal(all.updates, names.length);
  assert.equal(all.variables, 3 * names.length);
  // Per layer: two products for each of 4 projections (query, key and value are one, in the last layer two) and 4 of attention.
  assert.equal(all.products, 12 + 12 + 14 + 4);

  const headOnly = nodesOf(['bert']);
  assert.equal(headOnly.products, 1);
  assert.equal(headOnly.updates, 2);
  assert.equal(headOnly.variables, names.length + 4);
  assert.ok(headOnly.gradientNodes < 20, `${headOnly.gradientNodes}`);

  // Below the lowest weight that is trained nothing flows back: neither to the embeddings nor through layers 0 and 1.
  const lastLayer = nodesOf(['bert.embeddings', 'bert.encoder.layer.0-1']);
  assert.equal(lastLayer.products, 14 + 4 - 2);
  // A frozen layer in the middle still passes gradients on, but has none of its own: half of its 4 projections' products.
  assert.equal(nodesOf(['bert.encoder.layer.1']).products, all.products - 4);
});

test('the estimate counts gradient, state and average of trained weights alone', () => {
  const weights = [
    { name: 'a', shape: [10, 10] },
    { name: 'b', shape: [5] },
  ];
  const optimizer = adamW(golden('bert-small').settings);
  const numbers = (frozen: string[], ema = false) =>
    trainedNumbers(weights, optimizer, { frozen: new Set(frozen), ema });
  assert.equal(numbers([]), 4 * 105);
  assert.equal(numbers(['a']), 100 + 4 * 5);
  assert.equal(numbers(['a'], true), 100 + 5 * 5);
});

test('the learning rate falls from the head down to the embeddings', () => {
  const scales = new Map(learningRateScales(names, 0.5).map((scale, index) => [names[index], scale]));
  const of = (name: string) => scales.get(name);
  assert.equal(of('classifier.bias'), 1);
  assert.equal(of('bert.pooler.dense.weight'), 1);
  assert.equal(of('bert.encoder.layer.2.output.dense.weight'), 0.5);
  assert.equal(of('bert.encoder.layer.0.attention.self.key.bias'), 0.125);
  assert.equal(of('bert.embeddings.LayerNorm.bias'), 0.0625);
  const other = ['model.embeddings.tok_embeddings.weight', 'model.layers.1.attn.Wo.weight', 'head.bias'];
  assert.deepEqual(learningRateScales(other, 0.5), [0.125, 0.5, 1]);
});
