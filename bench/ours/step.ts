/**
 * Training steps of this project's engine, on demand: reads {"steps": n} a line, answers {"seconds": [...], "losses": [...]}.
 * Usage: step.ts MODEL ROWS LENGTH VOCABULARY THREADS [bf16]
 */
import { createInterface } from 'node:readline';
import { openBinding } from '../../trainer-image/graph/binding.ts';
import { openTrainableModel } from '../../trainer-image/model/trainable-model.ts';
import { optimizerOf } from '../../trainer-image/optim/optimizer-of.ts';
import { sequenceClassification } from '../../trainer-image/tasks/sequence-classification.ts';
import { tensorflowDirectory } from '../../trainer-image/tensorflow/directory.ts';
import { tensorflowEnvironment } from '../../trainer-image/threads.ts';

const [modelDirectory = '', ...numbers] = process.argv.slice(2);
const [rows = 0, length = 0, vocabulary = 0, threads = 0] = numbers.map(Number);
const bf16 = numbers[4] === 'bf16';
Object.assign(process.env, tensorflowEnvironment(process.env, threads));
const binding = openBinding(await tensorflowDirectory());
const model = await openTrainableModel({
  binding,
  task: sequenceClassification,
  modelDirectory,
  labels: ['no', 'yes'],
  seed: 1,
  update: {
    optimizer: optimizerOf({ optimizer: { name: 'AdamW' }, weightDecay: 0.01 }),
    maxGradNorm: 1,
    gradientAccumulationSteps: 1,
    bf16,
  },
});
// The same ids as the other side makes.
const inputIds = Int32Array.from({ length: rows * length }, (_, at) => {
  const row = Math.floor(at / length);
  return 1000 + ((row * 7919 + (at % length) * 104_729) % (vocabulary - 1000));
});
const batch = {
  rows,
  length,
  inputIds,
  attentionMask: new Int32Array(rows * length).fill(1),
  tokenTypeIds: new Int32Array(rows * length),
  labels: Int32Array.from({ length: rows }, (_, row) => row % 2),
  indices: Int32Array.from({ length: rows }, (_, row) => row),
  starts: Int32Array.from({ length: rows }, (_, row) => row * length),
};
let step = 0;
console.log(JSON.stringify({ ready: true, version: binding.TF_Version }));
for await (const line of createInterface({ input: process.stdin })) {
  const seconds: number[] = [];
  const losses: number[] = [];
  for (let left = (JSON.parse(line) as { steps: number }).steps; left > 0; left--) {
    const started = performance.now();
    losses.push(model.trainStep([batch], { step: step++, learningRate: 5e-5 }).loss);
    seconds.push((performance.now() - started) / 1000);
  }
  console.log(JSON.stringify({ seconds, losses }));
}
model.close();
