/**
 * Run as a program with settings of an update as JSON: three training steps of a BERT of eight layers; prints their losses
 * and the memory they needed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from '../../../trainer-image/graph/session.ts';
import { assignVariables } from '../../../trainer-image/graph/variable-transfer.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { initialWeight } from '../../../trainer-image/model/initial-weights.ts';
import { buildTrainingGraph } from '../../../trainer-image/model/training-graph.ts';
import { sgd } from '../../../trainer-image/optim/sgd.ts';
import { runUpdate, type UpdateOptions } from '../../../trainer-image/optim/update.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { nativeBinding } from '../graph/native.ts';

const config = {
  model_type: 'bert',
  vocab_size: 200,
  hidden_size: 128,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  intermediate_size: 512,
};
const [rows, length] = [32, 128];

export type PeakMemory = { losses: number[]; bytes: number };

function peakMemory(settings: Partial<UpdateOptions>, binding: Awaited<ReturnType<typeof nativeBinding>>) {
  const directory = mkdtempSync(join(tmpdir(), 'model-'));
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
  const { architecture } = readArchitecture(directory, { task: 'SequenceClassification', labels: 2 });
  rmSync(directory, { recursive: true });
  const classification = { task: sequenceClassification, labels: 2 };
  const built = buildTrainingGraph(architecture, classification, {
    optimizer: sgd({ momentum: 0, weightDecay: 0 }),
    maxGradNorm: 1,
    gradientAccumulationSteps: 1,
    ...settings,
  });
  const session = new Session(binding, built.graph);
  assignVariables(session, built.weights, ({ name, shape }) => {
    if (name.endsWith('LayerNorm.weight')) return new Float32Array(shape[0] as number).fill(1);
    return initialWeight({ name, shape, initial: name.endsWith('bias') ? 'zeros' : 'normal' }, 1, 0.05);
  });
  const ids = Int32Array.from({ length: rows * length }, (_, i) => (i * 37) % config.vocab_size);
  const feeds = (step: number) => [
    { tensor: built.inputs.inputIds, data: ids, shape: [rows, length] },
    { tensor: built.inputs.attentionMask, data: ids.map(() => 1), shape: [rows, length] },
    { tensor: built.inputs.tokenTypeIds, data: ids.map(() => 0), shape: [rows, length] },
    { tensor: built.labels, data: Int32Array.from({ length: rows }, (_, i) => i % 2), shape: [rows] },
    { tensor: built.seed, data: Int32Array.of(1, step), shape: [2] },
  ];
  writeFileSync('/proc/self/clear_refs', '5'); // the peak begins anew
  const before = peakBytes();
  const losses = [0, 1, 2].map((step) => {
    return runUpdate(session, built.update, [feeds(step)], { step, learningRate: 0.1 }).loss;
  });
  const result: PeakMemory = { losses, bytes: peakBytes() - before };
  session.close();
  return result;
}

function peakBytes(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return 1024 * Number(kilobytes);
}

if (import.meta.main)
  console.log(JSON.stringify(peakMemory(JSON.parse(process.argv[2] ?? '{}'), await nativeBinding())));
