import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Shape } from '../../../trainer-image/graph/graph.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { buildTrainingGraph } from '../../../trainer-image/model/training-graph.ts';
import { sequenceClassification as task } from '../../../trainer-image/tasks/sequence-classification.ts';
import { golden, smallModel, updateOf } from './fixtures.ts';

/** The node that an optimiser of graphs leaves of equal ones: the same op on the same tensors, waiting for the same nodes. */
function merged(nodes: readonly Node[]): Map<Node, Node> {
  const first = new Map<string, Node>();
  const left = new Map<Node, Node>();
  for (const node of nodes) {
    const inputs = node.inputs.map((input) => `${left.get(input.node)?.id}:${input.index}`);
    const controls = node.controls.map((control) => `^${left.get(control)?.id}`);
    const key = JSON.stringify([node.op, node.attrs, ...inputs, ...controls]);
    const known = /Placeholder|Random|Resource|Variable/.test(node.op) ? node : (first.get(key) ?? node);
    first.set(key, known);
    left.set(node, known);
  }
  return left;
}

/**
 * What stays in memory from the forward pass to the gradient: what is computed before the logits are, as everything is
 * that need not wait for them, and is read by what waits for them.
 */
function keptNodes(bf16: boolean): Node[] {
  const { architecture } = readArchitecture(smallModel, { task: task.name, labels: 3, dropout: 0.1 });
  const options = { ...updateOf(golden('bert-small')), bf16 };
  const { update } = buildTrainingGraph(architecture, { task, labels: 3 }, options);
  const { nodes } = update.applied.graph;
  const left = merged(nodes);
  const before = (node: Node): Node[] =>
    [...node.inputs.map((input) => input.node), ...node.controls].map((one) => left.get(one) as Node);
  const late = new Set<Node>();
  for (const node of nodes) {
    const isLogit = node.op === 'MatMul' && node.name.startsWith('train/head/');
    if (isLogit || before(node).some((one) => late.has(one))) late.add(node);
  }
  const needed = new Set([update.applied.node]);
  const kept = new Set<Node>();
  for (const node of needed) {
    for (const one of before(node)) {
      needed.add(one);
      if (late.has(node) && !late.has(one)) kept.add(one);
    }
  }
  return [...kept].filter(({ name }) => name.includes('layer0/'));
}

const typesOf = (nodes: readonly Node[], fits: (shape: Shape) => boolean): string[] =>
  nodes.flatMap(({ op, outputs }) =>
    outputs.filter(({ shape }) => fits(shape)).map(({ dtype }) => `${op} ${dtype}`),
  );
const isWide: (shape: Shape) => boolean = (shape) => shape.length === 3 && shape.at(-1) === 64;
const isAttention: (shape: Shape) => boolean = (shape) => shape.length === 4 && shape.at(-1) === 'length';

test('activations, joined weights and dropped probabilities are not kept for the gradient', () => {
  const kept = keptNodes(false);
  const ops = new Set(kept.map(({ op }) => op));
  for (const op of ['Erf', 'ConcatV2', 'SelectV2']) assert.ok(!ops.has(op), `${op} is kept`);
  assert.deepEqual(typesOf(kept, isAttention).sort(), ['GreaterEqual bool', 'Softmax float32']);
  // The sums before the activation; they lie where their reshape lies.
  assert.deepEqual(typesOf(kept, isWide), ['Reshape float32']);
});

test('with products in bfloat16 what goes in and comes out of them is kept in bfloat16 alone', () => {
  const kept = keptNodes(true);
  assert.deepEqual(typesOf(kept, isAttention).sort(), ['Cast bfloat16', 'GreaterEqual bool']);
  assert.deepEqual(typesOf(kept, isWide), ['Reshape bfloat16']);
  // Queries, keys and values, and what attention makes of them.
  const heads = typesOf(kept, (shape) => shape.length === 4 && shape.at(-1) === 8);
  assert.deepEqual(heads.sort(), ['BatchMatMulV2 bfloat16', ...Array(3).fill('Unpack bfloat16')]);
  // Of both LayerNorms what is normal; the mean and the rest are not needed, what they give is read in bfloat16.
  const single = typesOf(kept, (shape) => shape.at(-1) === 32).filter((type) => type.endsWith('float32'));
  assert.deepEqual(single, ['Mul float32', 'Mul float32']);
});
