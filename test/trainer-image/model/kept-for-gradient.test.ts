import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../../trainer-image/graph/graph.ts';
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

/** What the forward pass computes and the gradient reads: that stays in memory from one to the other. */
function keptNodes(): Node[] {
  const { architecture } = readArchitecture(smallModel, { task: task.name, labels: 3, dropout: 0.1 });
  const { update } = buildTrainingGraph(architecture, { task, labels: 3 }, updateOf(golden('bert-small')));
  const left = merged(update.applied.graph.nodes);
  const needed = new Set([update.applied.node]);
  const kept = new Set<Node>();
  for (const node of needed) {
    for (const one of [...node.inputs.map((input) => input.node), ...node.controls]) {
      const before = left.get(one) as Node;
      needed.add(before);
      if (node.name.includes('gradient/') && !before.name.includes('gradient/')) kept.add(before);
    }
  }
  return [...kept].filter(({ name }) => name.includes('layer0/'));
}

test('activations, joined weights and dropped probabilities are not kept for the gradient', () => {
  const kept = keptNodes();
  const ops = new Set(kept.map(({ op }) => op));
  assert.ok(ops.has('Softmax') && ops.has('GreaterEqual'), [...ops].join());
  for (const op of ['Erf', 'ConcatV2', 'SelectV2']) assert.ok(!ops.has(op), `${op} is kept`);
  // The sums before the activation; they lie where their reshape lies.
  const wide = kept.filter(({ outputs }) => outputs.some(({ shape }) => shape.at(-1) === 64));
  assert.deepEqual(
    wide.map(({ op }) => op),
    ['Reshape'],
  );
});
