/** Training with products in bfloat16, beside PyTorch's autocast (test/golden/bf16.py) and beside float32. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Attr, Graph, Node } from '../../../trainer-image/graph/graph.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import type { Task } from '../../../trainer-image/model/model.ts';
import { buildTrainingGraph } from '../../../trainer-image/model/training-graph.ts';
import { learningRateAt } from '../../../trainer-image/optim/schedule.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { PlainAdamW } from './adamw-on-arrays.ts';
import { type FamilyGolden, families, familyGolden, folder, labels } from './family-golden.ts';
import { golden, goldenDirectory, openSmall, updateOf } from './fixtures.ts';
import type { PeakMemory } from './peak-memory-process.ts';
import { openTaskGraph, type TaskBatch } from './task-graph.ts';

const binding = await nativeBinding();
/** Of PyTorch under autocast: losses, and how far all gradients of the first batch are from those in float32. */
type Peer = { losses: number[]; gradientDistance: number };
const peers = JSON.parse(readFileSync(join(goldenDirectory, 'bf16.json'), 'utf8')) as {
  families: Record<string, Record<Task, Peer>>;
};
/** What rounding to bfloat16 changes a number by, relative to it, at most. */
const rounding = 2 ** -8;
const tasks = {
  SequenceClassification: sequenceClassification,
  TokenClassification: tokenClassification,
  MaskedLM: maskedLM({ probability: 0.15, wholeWord: false }),
};
const taskNames = Object.keys(tasks) as Task[];

/** Root of the mean square of the relative differences. */
function apart(got: readonly number[], want: readonly number[]): number {
  assert.equal(got.length, want.length);
  return Math.sqrt(
    want.reduce((sum, value, i) => sum + ((got[i] as number) / value - 1) ** 2, 0) / want.length,
  );
}

/** The losses of a plain AdamW on float32 weights and gradients. */
function curve(family: string, task: Task, want: FamilyGolden, count: number): number[] {
  const graph = openTaskGraph(binding, join(folder, family), { task, labels: labels.length, bf16: true });
  const optimizer = new PlainAdamW(want.settings);
  const found = Array.from({ length: count }, (_, step) => {
    const { loss, gradients } = graph.gradients(want.batches[step % want.batches.length] as TaskBatch);
    optimizer.step(graph.weights, gradients, learningRateAt({ name: 'Linear' }, want.settings, step));
    return loss;
  });
  graph.close();
  return found;
}

const isProduct = ({ op }: Node): boolean => op === 'MatMul' || op === 'BatchMatMulV2';
const productsOf = (graph: Graph): Node[] => graph.nodes.filter(isProduct);
const typeOf = ({ attrs }: Node): string => (attrs['T'] as Extract<Attr, { type: string }>).type;
/** What may give bfloat16 besides products: their bias, and what moves and chooses. */
const movers =
  /^(BiasAdd|Cast|Const|Identity|Reshape|Transpose|Slice|Pad|Pack|Unpack|ConcatV2|GatherV2|SelectV2)$/;

for (const family of families) {
  const want = familyGolden(family);
  const peer = peers.families[family] as Record<Task, Peer>;
  suite(family, () => {
    for (const name of taskNames) {
      test(`${name}: every product is in bfloat16, and nothing else that counts`, () => {
        const task = tasks[name];
        const { architecture } = readArchitecture(join(folder, family), { task: name, labels: 3 });
        const build = (bf16: boolean) => {
          const update = { ...updateOf(want), bf16, gradientCheckpointing: true, ema: { decay: 0.9 } };
          return buildTrainingGraph(architecture, { task, labels: 3 }, update).graph;
        };
        const graph = build(true);
        const products = productsOf(graph);
        assert.equal(products.length, productsOf(build(false)).length);
        for (const node of products) assert.equal(typeOf(node), 'bfloat16', node.name);
        for (const node of graph.nodes) {
          const low = node.outputs.some(({ dtype }) => dtype === 'bfloat16');
          assert.ok(!low || isProduct(node) || movers.test(node.op), `${node.op} of ${node.name}`);
          if (node.op === 'VarHandleOp') assert.deepEqual(node.attrs['dtype'], { type: 'float32' });
        }
      });

      test(`${name}: 20 steps stay as near to PyTorch's autocast as bfloat16 allows, and are not those of float32`, () => {
        const expected = peer[name].losses;
        const got = curve(family, name, want, expected.length);
        const single = want.tasks[name].steps.slice(0, expected.length).map(({ loss }) => loss);
        const [fromPeer, fromSingle] = [apart(got, expected), apart(got, single)];
        // Losses of PyTorch itself are up to 0.0044 from those in float32: later steps multiply what the first ones round.
        assert.ok(fromPeer <= 2 * rounding, `${fromPeer} from PyTorch`);
        assert.ok(Math.abs((got[0] as number) / (expected[0] as number) - 1) <= rounding, 'first step');
        // float32 repeats its golden losses to 0.0001.
        assert.ok(fromSingle >= 3e-4, `${fromSingle} from float32`);
      });
    }

    test('gradients are as near to those of float32 as with PyTorch, also with gradient checkpointing', () => {
      for (const task of taskNames) {
        const gradientsOf = (options: { bf16?: boolean; gradientCheckpointing?: boolean }) => {
          const graph = openTaskGraph(binding, join(folder, family), { task, labels: 3, ...options });
          const { gradients } = graph.gradients(want.batches[0] as TaskBatch);
          graph.close();
          return gradients;
        };
        const single = gradientsOf({});
        for (const gradientCheckpointing of task === 'MaskedLM' ? [false, true] : [false]) {
          const got = distance(gradientsOf({ bf16: true, gradientCheckpointing }), single);
          const { gradientDistance } = peer[task];
          assert.ok(got <= 1.25 * gradientDistance, `${task}: ${got}, PyTorch ${gradientDistance}`);
          assert.ok(got >= 0.25 * gradientDistance, `${task}: ${got} is the gradient in float32`);
        }
      }
    });
  });
}

type Gradients = ReadonlyMap<string, Float32Array>;

/** How far all gradients together are from the wanted ones, relative to their norm. */
function distance(got: Gradients, want: Gradients): number {
  const [names, norm] = [[...want.keys()], (values: number[]): number => Math.hypot(...values)];
  const off = names.map((name) => {
    const expected = want.get(name) as Float32Array;
    const [own = new Float32Array()] = [got.get(name)];
    return norm(Array.from(expected, (value, i) => value - (own[i] as number)));
  });
  return norm(off) / norm([...want.values()].map((values) => Math.hypot(...values)));
}

test('the trainer trains and evaluates in bfloat16: the same rows have the same loss in both', async () => {
  const [batch] = golden('bert-small').batches;
  assert.ok(batch);
  const lossesOf = async (bf16: boolean): Promise<number[]> => {
    const model = await openSmall(binding, { dropout: 0, update: { bf16 } });
    const { lossSum, count, outputs } = model.predict(batch);
    assert.ok(outputs[0] instanceof Float32Array);
    const { loss } = model.trainStep([batch], { step: 0, learningRate: 0 });
    const kept = [...model.weights(), ...model.optimizerState()];
    assert.ok(kept.every(({ data }) => data instanceof Float32Array));
    assert.equal(model.tensorCount(), 0);
    model.close();
    return [lossSum / count, loss];
  };
  const [low, single] = [await lossesOf(true), await lossesOf(false)] as [number[], number[]];
  for (const [evaluated, trained] of [low, single] as [number, number][])
    assert.ok(Math.abs(evaluated - trained) <= 1e-6 * trained, `${evaluated}, ${trained}`);
  assert.ok(apart(low, single) <= rounding && apart(low, single) > 1e-5, `${low}, ${single}`);
});

test('bfloat16 takes less memory for a step, and with gradient checkpointing no more than half', () => {
  const bytesOf = (settings: object): number => {
    const script = join(import.meta.dirname, 'peak-memory-process.ts');
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
    const args = [script, JSON.stringify(settings)];
    return (JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio })) as PeakMemory)
      .bytes;
  };
  const [single, low, both] = [{}, { bf16: true }, { bf16: true, gradientCheckpointing: true }].map(bytesOf);
  const text = [single, low, both].map((bytes) => Math.round(Number(bytes) / 1e6)).join(', ');
  assert.ok(Number(low) < 0.92 * Number(single), text);
  assert.ok(Number(both) < 0.7 * Number(low) + 0.1 * Number(single), text);
});
