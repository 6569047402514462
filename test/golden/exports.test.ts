/** What the trainer exports, for each family and task, is what Transformers loads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readArchitecture } from '../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../trainer-image/model/checkpoint-files.ts';
import { exportModel } from '../../trainer-image/model/export.ts';
import { mapWeights } from '../../trainer-image/model/weights.ts';
import { maskedLM } from '../../trainer-image/tasks/masked-lm.ts';
import { sequenceClassification } from '../../trainer-image/tasks/sequence-classification.ts';
import type { Task } from '../../trainer-image/tasks/task.ts';
import { tokenClassification } from '../../trainer-image/tasks/token-classification.ts';
import { pythonPeers } from './python.ts';

const golden = join(import.meta.dirname, 'architectures');
const target = mkdtempSync(join(tmpdir(), 'exports-'));
after(() => rmSync(target, { recursive: true }));
const labels = ['a', 'b', 'c'];
const tasks: Task[] = [
  sequenceClassification,
  tokenClassification,
  maskedLM({ probability: 0.15, wholeWord: false }),
];

test('transformers loads the export of each family and task, nothing missing, with the golden logits', async () => {
  const families = readdirSync(golden, { withFileTypes: true }).filter((found) => found.isDirectory());
  for (const { name } of families) for (const task of tasks) await exportFamily(name, task);

  const script = join(import.meta.dirname, 'architectures.py');
  const options = { encoding: 'utf8', timeout: 300_000 } as const;
  const { status, stdout, stderr } = spawnSync(await pythonPeers(), [script, 'verify', target], options);
  assert.equal(status, 0, stderr.slice(-4000));
  assert.equal(stdout.match(/largest difference of a logit/g)?.length, families.length * tasks.length);
});

async function exportFamily(family: string, task: Task): Promise<void> {
  const modelDirectory = join(golden, family);
  const wanted = { task: task.name, labels: labels.length };
  const { raw, architecture } = readArchitecture(modelDirectory, wanted);
  const files = openWeightFiles(modelDirectory);
  const { keys } = mapWeights(files.entries, architecture.parameters, architecture.prefix);
  const evaluatedWeights = () =>
    architecture.parameters.map(({ name, shape }) => {
      return { name, shape, data: files.read(keys.get(name) as string) };
    });
  const model = { config: raw, className: architecture.className, labels, evaluatedWeights };
  await exportModel({ model, task, modelDirectory, directory: join(target, `${family}-${task.name}`) });
  files.close();
}
