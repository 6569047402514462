/**
 * The matrix products of a training step and nothing else, on demand: what the step would take if all around them were
 * free. Reads {"steps": n} a line, answers {"seconds": [...], "gigaflops": number of one step}.
 * Usage: products.ts MODEL ROWS LENGTH THREADS
 */
import { createInterface } from 'node:readline';
import { reshape, slice } from '../../trainer-image/graph/array-ops.ts';
import { openBinding } from '../../trainer-image/graph/binding.ts';
import { Graph, type Node, type Shape, type Tensor } from '../../trainer-image/graph/graph.ts';
import { addN, identity } from '../../trainer-image/graph/ops.ts';
import { batchMatmul, matmul } from '../../trainer-image/graph/products.ts';
import { Session } from '../../trainer-image/graph/session.ts';
import { assignVariables } from '../../trainer-image/graph/variable-transfer.ts';
import { type Variable, variable } from '../../trainer-image/graph/variables.ts';
import { readArchitecture } from '../../trainer-image/model/architecture.ts';
import { buildTrainingGraph } from '../../trainer-image/model/training-graph.ts';
import { optimizerOf } from '../../trainer-image/optim/optimizer-of.ts';
import { sequenceClassification as task } from '../../trainer-image/tasks/sequence-classification.ts';
import { tensorflowDirectory } from '../../trainer-image/tensorflow/directory.ts';
import { tensorflowEnvironment } from '../../trainer-image/threads.ts';

const [modelDirectory = '', ...numbers] = process.argv.slice(2);
const [rows = 0, length = 0, threads = 0] = numbers.map(Number);
Object.assign(process.env, tensorflowEnvironment(process.env, threads));

const products = productsOf(modelDirectory);
const graph = new Graph();
const operands = new Map<string, Variable>();
const read: Tensor[] = [];
let last: Node | undefined;
for (const { op, inputs, attrs } of products) {
  // Each waits for the one before, as in a step; without that, equal ones would be computed once.
  const [a, b] = inputs.map((input) => operand(sizes(input.shape))) as [Tensor, Tensor];
  const flag = (name: string) => 'bool' in attrs[name]! && attrs[name].bool;
  const product =
    op === 'MatMul'
      ? matmul(a, b, { transposeA: flag('transpose_a'), transposeB: flag('transpose_b') })
      : batchMatmul(a, b, { transposeA: flag('adj_x'), transposeB: flag('adj_y') });
  last = product.node;
  // One element of each is asked for: what nobody reads is not computed.
  const corner = product.shape.map(() => 1);
  const first = slice(
    product,
    corner.map(() => 0),
    corner,
  );
  read.push(reshape(first, []));
}
const done = addN(read);
const session = new Session(openBinding(await tensorflowDirectory()), graph);
assignVariables(session, [...operands.values()], ({ shape }) =>
  new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5),
);
const gigaflops = products.reduce((total, node) => total + flops(node), 0) / 1e9;
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const seconds: number[] = [];
  for (let left = (JSON.parse(line) as { steps: number }).steps; left > 0; left--) {
    const started = performance.now();
    session.run([done], []);
    seconds.push((performance.now() - started) / 1000);
  }
  console.log(JSON.stringify({ seconds, gigaflops }));
}
session.close();

/** The products that an update of the weights needs, in the order of the graph. */
function productsOf(directory: string): Node[] {
  const { architecture } = readArchitecture(directory, { task: task.name, labels: 2 });
  const { update } = buildTrainingGraph(
    architecture,
    { task, labels: 2 },
    {
      optimizer: optimizerOf({ optimizer: { name: 'AdamW' }, weightDecay: 0.01 }),
      maxGradNorm: 1,
      gradientAccumulationSteps: 1,
    },
  );
  const needed = new Set([update.applied.node]);
  for (const { inputs, controls } of needed)
    for (const before of [...inputs.map(({ node }) => node), ...controls]) needed.add(before);
  return update.applied.graph.nodes.filter((node) => needed.has(node) && /MatMul/.test(node.op));
}

function sizes(shape: Shape): number[] {
  const named: Readonly<Record<string, number>> = { batch: rows, length, examples: rows };
  const factor = (name: string): number => named[name] ?? Number(name);
  return shape.map((dim) =>
    typeof dim === 'number' ? dim : dim.split('*').reduce((product, name) => product * factor(name), 1),
  );
}

function operand(shape: number[]): Tensor {
  const name = `operand ${shape.join('x')}`.replaceAll(' ', '_');
  const known = operands.get(name) ?? variable(graph, name, shape);
  operands.set(name, known);
  return identity(known.value, last ? [last] : []);
}

/** Two operations for each multiplication of the inner dimension. */
function flops({ inputs, outputs, attrs }: Node): number {
  const [a] = inputs as [Tensor];
  const swapped = ['transpose_a', 'adj_x'].some(
    (name) => attrs[name] && 'bool' in attrs[name] && attrs[name].bool,
  );
  const inner = sizes(a.shape).at(swapped ? -2 : -1) as number;
  return 2 * inner * sizes((outputs[0] as Tensor).shape).reduce((product, size) => product * size, 1);
}
