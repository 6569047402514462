/** Run as a program: trains a span of steps of the small model and writes its state. Used by resume.test.ts. */
import { SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { writeSafetensors } from '../../../trainer-image/model/safetensors-writer.ts';
import type { TrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, openSmall } from './fixtures.ts';

const { batches } = golden('bert-small');

/** Losses and norms of the steps from `first` up to but not including `end`, each on so many batches. */
export function trainSpan(model: TrainableModel, first: number, end: number, perStep = 1): string[] {
  const results: string[] = [];
  for (let step = first; step < end; step++) {
    const microBatches = Array.from({ length: perStep }, (_, i) => {
      const batch = batches[(step * perStep + i) % batches.length];
      if (batch === undefined) throw new Error('no batch');
      return batch;
    });
    const { loss, gradientNorm } = model.trainStep(microBatches, { step, learningRate: 1e-3 });
    results.push(`${step} ${loss} ${gradientNorm}`);
  }
  return results;
}

export function saveAll(model: TrainableModel, path: string): string {
  return writeSafetensors(path, [...model.weights(), ...model.optimizerState()]).sha256;
}

export function loadAll(model: TrainableModel, path: string): void {
  const file = new SafetensorsFile(path);
  model.restore([...file.entries].map(([name, { shape }]) => ({ name, shape, data: file.read(name) })));
  file.close();
}

if (import.meta.main) {
  const [from, to, first, end] = process.argv.slice(2) as [string, string, string, string];
  const model = await openSmall(await nativeBinding(), { dropout: 0.2, seed: 3 });
  if (from !== '-') loadAll(model, from);
  const steps = trainSpan(model, Number(first), Number(end));
  const sha256 = saveAll(model, to);
  model.close();
  console.log(JSON.stringify({ steps, sha256 }));
}
