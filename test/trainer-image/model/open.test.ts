/** What a bad model directory gets. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { writeSafetensors } from '../../../trainer-image/model/safetensors-writer.ts';
import { nativeBinding } from '../graph/native.ts';
import { copyOfSmallModel, editConfig, golden, openSmall, smallModel } from './fixtures.ts';

const binding = await nativeBinding();

const weights = (directory: string): string => join(directory, 'model.safetensors');
const cases: Record<string, { given: (directory: string) => void; want: RegExp; labels?: string[] }> = {
  'no config.json': { given: (d) => rmSync(join(d, 'config.json')), want: /config\.json cannot be read/ },
  'a config.json that is not JSON': {
    given: (d) => writeFileSync(join(d, 'config.json'), '{"model_type": '),
    want: /config\.json is not JSON/,
  },
  'an unknown model type': {
    given: (d) => editConfig(d, { model_type: 'gpt2' }),
    want: /type "gpt2" is not/,
  },
  'a model type from the prototype': {
    given: (d) => editConfig(d, { model_type: 'constructor' }),
    want: /type "constructor" is not/,
  },
  'no model type': { given: (d) => editConfig(d, { model_type: undefined }), want: /type \(none\) is not/ },
  'an activation that is not supported': {
    given: (d) => editConfig(d, { hidden_act: 'gelu_new' }),
    want: /hidden_act: .*"gelu"/,
  },
  'relative positions': {
    given: (d) => editConfig(d, { position_embedding_type: 'relative_key' }),
    want: /position_embedding_type/,
  },
  'a width that the heads do not divide': {
    given: (d) => editConfig(d, { num_attention_heads: 5 }),
    want: /hidden_size 32 is not a multiple of num_attention_heads 5/,
  },
  'a config of another size': {
    given: (d) => editConfig(d, { num_hidden_layers: 4 }),
    want: /16 tensors are missing: bert\.encoder\.layer\.3/,
  },
  'another number of labels': {
    given: () => undefined,
    labels: ['x', 'y'],
    want: /classifier\.weight is \[3, 32\]/,
  },
  'only pickled weights': {
    given: (d) => {
      rmSync(weights(d));
      writeFileSync(join(d, 'pytorch_model.bin'), 'pickle');
    },
    want: /only pytorch_model\.bin, a Python pickle/,
  },
  'no weights at all': { given: (d) => rmSync(weights(d)), want: /no model\.safetensors/ },
  'cut weights': { given: (d) => truncateSync(weights(d), 100_000), want: /is damaged: it is cut off/ },
  'weights with a damaged header': {
    given: (d) => writeFileSync(weights(d), readFileSync(weights(d)).fill(0xff, 10, 40)),
    want: /is damaged: its header is not JSON/,
  },
  'an index whose shard is missing': {
    given: (d) => {
      rmSync(weights(d));
      writeFileSync(
        join(d, 'model.safetensors.index.json'),
        JSON.stringify({ weight_map: { 'classifier.bias': 'model-00001-of-00001.safetensors' } }),
      );
    },
    want: /names model-00001-of-00001\.safetensors, but the file is missing/,
  },
  'an index that points elsewhere': {
    given: (d) => {
      rmSync(weights(d));
      writeFileSync(
        join(d, 'model.safetensors.index.json'),
        JSON.stringify({ weight_map: { a: '../../../etc/passwd' } }),
      );
    },
    want: /points outside of its folder/,
  },
};
for (const [name, { given, want, labels }] of Object.entries(cases)) {
  test(`${name}: ModelError with a hint`, async () => {
    using copy = copyOfSmallModel();
    given(copy.directory);
    await assert.rejects(
      openSmall(binding, { directory: copy.directory, ...(labels ? { labels } : {}) }),
      (error) => {
        assert.ok(error instanceof TrainerError, String(error));
        assert.equal(error.category, 'ModelError');
        assert.match(error.message, want);
        assert.ok(error.hint.length > 10);
        return true;
      },
    );
    assert.equal(binding.getNumOfTensors(), 0);
  });
}

test('weights in several files, without prefix and without head, open', async () => {
  using copy = copyOfSmallModel();
  const source = new SafetensorsFile(weights(smallModel));
  const tensors = [...source.entries]
    .filter(([name]) => name.startsWith('bert.'))
    .map(([name, { shape }]) => ({ name: name.slice('bert.'.length), shape, data: source.read(name) }));
  source.close();
  rmSync(weights(copy.directory));
  const parts = { 'one.safetensors': tensors.slice(0, 9), 'two.safetensors': tensors.slice(9) };
  for (const [file, part] of Object.entries(parts)) writeSafetensors(join(copy.directory, file), part);
  const map = Object.entries(parts).flatMap(([file, part]) => part.map(({ name }) => [name, file]));
  writeFileSync(
    join(copy.directory, 'model.safetensors.index.json'),
    JSON.stringify({ weight_map: Object.fromEntries(map) }),
  );
  const model = await openSmall(binding, { directory: copy.directory, labels: ['x', 'y'] });
  assert.deepEqual(model.newlyInitialized, ['classifier.weight', 'classifier.bias']);
  const byName = new Map([...model.weights()].map((tensor) => [tensor.name, tensor.data]));
  for (const { name, data } of tensors) assert.deepEqual(byName.get(`bert.${name}`), data, name);
  assert.ok(byName.get('classifier.bias')?.every((value) => value === 0));
  const head = byName.get('classifier.weight') ?? new Float32Array();
  const deviation = Math.sqrt(head.reduce((sum, value) => sum + value * value, 0) / head.length);
  assert.ok(deviation > 0.11 && deviation < 0.19, `initializer_range is 0.15, got ${deviation}`);
  model.close();
});

test('a new head depends on the seed alone', async () => {
  using copy = copyOfSmallModel();
  const source = new SafetensorsFile(weights(smallModel));
  const body = [...source.entries]
    .filter(([name]) => name.startsWith('bert.'))
    .map(([name, { shape }]) => ({ name, shape, data: source.read(name) }));
  source.close();
  writeSafetensors(weights(copy.directory), body);
  const head = async (seed: number): Promise<Float32Array> => {
    const model = await openSmall(binding, { directory: copy.directory, seed });
    const found = [...model.weights()].find(({ name }) => name === 'classifier.weight')?.data;
    model.close();
    assert.ok(found);
    return found;
  };
  assert.deepEqual(await head(5), await head(5));
  assert.notDeepEqual(await head(5), await head(6));
});

test('token ids and rows that the model does not know are refused before TensorFlow sees them', async () => {
  const model = await openSmall(binding);
  const batch = golden('bert-small').batches[0];
  assert.ok(batch);
  const inputIds = batch.inputIds.with(3, 120);
  assert.throws(() => model.predict({ ...batch, inputIds }), {
    category: 'ModelError',
    message: /token id 120, but the model knows only 0 to 119/,
  });
  const tokenTypeIds = batch.tokenTypeIds.with(3, 2);
  assert.throws(() => model.predict({ ...batch, tokenTypeIds }), /token type 2/);
  const length = 41;
  const long = new Int32Array(length);
  const row = { rows: 1, length, inputIds: long, attentionMask: long, tokenTypeIds: long };
  const one = Int32Array.of(0);
  assert.throws(() => model.predict({ ...row, labels: one, indices: one, starts: one }), {
    category: 'ConfigError',
    message: /41 tokens a row, the model has 40 positions/,
  });
  model.close();
});
