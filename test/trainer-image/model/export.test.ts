import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exportModel } from '../../../trainer-image/model/export.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { copyOfSmallModel, editConfig, golden, openSmall } from './fixtures.ts';

const binding = await nativeBinding();
const directory = mkdtempSync(join(tmpdir(), 'export-'));
after(() => rmSync(directory, { recursive: true }));

test('an exported model opens again with the same logits, and its config fits the weights', async () => {
  using base = copyOfSmallModel();
  editConfig(base.directory, { _name_or_path: '/home/me/model', torch_dtype: 'float16', num_labels: 7 });
  // What JavaScript would write as 2, and transformers would refuse.
  const path = join(base.directory, 'config.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('{', '{"initializer_cutoff_factor": 2.0,'));
  writeFileSync(join(base.directory, 'tokenizer.json'), '{}');
  writeFileSync(join(base.directory, 'training_args.bin'), 'pickle');
  const labels = ['ham', 'spam', 'phishing'];
  const model = await openSmall(binding, { directory: base.directory, labels, dropout: 0.1 });
  const { batches } = golden('bert-small');
  const batch = batches[0];
  assert.ok(batch);
  for (let step = 0; step < 3; step++) model.trainStep([batch], { step, learningRate: 1e-2 });
  const { outputs } = model.predict(batch);
  await exportModel({ model, task: sequenceClassification, modelDirectory: base.directory, directory });
  model.close();

  assert.deepEqual(readdirSync(directory).sort(), ['config.json', 'model.safetensors', 'tokenizer.json']);
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
  assert.deepEqual(config.architectures, ['BertForSequenceClassification']);
  assert.deepEqual(config.id2label, { 0: 'ham', 1: 'spam', 2: 'phishing' });
  assert.deepEqual(config.label2id, { ham: 0, spam: 1, phishing: 2 });
  assert.match(readFileSync(join(directory, 'config.json'), 'utf8'), /"initializer_cutoff_factor": 2\.0,/);
  assert.equal(config.dtype, 'float32');
  assert.equal(config.hidden_dropout_prob, 0, 'dropout of the job is not a property of the model');
  for (const name of ['_name_or_path', 'torch_dtype', 'num_labels']) assert.ok(!(name in config), name);

  const again = await openSmall(binding, { directory, labels });
  assert.deepEqual(again.newlyInitialized, []);
  assert.deepEqual(again.predict(batch).outputs, outputs);
  again.close();
});
