/**
 * Exports the golden checkpoint of each family for each task, and lets Transformers load the folders and compute the
 * golden logits from them.
 *
 * Usage: node test/golden/verify-architectures.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArchitecture } from '../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../trainer-image/model/checkpoint-files.ts';
import { exportModel } from '../../trainer-image/model/export.ts';
import { mapWeights } from '../../trainer-image/model/weights.ts';
import { maskedLM } from '../../trainer-image/tasks/masked-lm.ts';
import { sequenceClassification } from '../../trainer-image/tasks/sequence-classification.ts';
import { tokenClassification } from '../../trainer-image/tasks/token-classification.ts';
import { pythonPeers } from './python.ts';

const golden = join(import.meta.dirname, 'architectures');
const target = mkdtempSync(join(tmpdir(), 'architectures-'));
const labels = ['a', 'b', 'c'];
const tasks = [
  sequenceClassification,
  tokenClassification,
  maskedLM({ probability: 0.15, wholeWord: false }),
];
for (const entry of readdirSync(golden, { withFileTypes: true }).filter((found) => found.isDirectory())) {
  const modelDirectory = join(golden, entry.name);
  for (const task of tasks) {
    const { raw, architecture } = readArchitecture(modelDirectory, {
      task: task.name,
      labels: labels.length,
    });
    const files = openWeightFiles(modelDirectory);
    const { keys } = mapWeights(files.entries, architecture.parameters, architecture.prefix);
    const weights = () =>
      architecture.parameters.map(({ name, shape }) => {
        return { name, shape, data: files.read(keys.get(name) as string) };
      });
    const model = { config: raw, className: architecture.className, labels, evaluatedWeights: weights };
    await exportModel({ model, task, modelDirectory, directory: join(target, `${entry.name}-${task.name}`) });
    files.close();
  }
}
const script = join(import.meta.dirname, 'architectures.py');
const { status } = spawnSync(await pythonPeers(), [script, 'verify', target], { stdio: 'inherit' });
rmSync(target, { recursive: true });
process.exitCode = status ?? 1;
