import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import {
  maxTerminationBytes,
  type PreflightReport,
  preflightReport,
  type RunConfig,
} from '../../crds/trainer-contract.ts';
import { TrainerError } from '../../trainer-image/failure.ts';
import { preflight } from '../../trainer-image/preflight.ts';
import { modelDigest } from '../../trainer-image/sources/model-files.ts';
import { openSource } from '../../trainer-image/sources/open.ts';
import { runConfigOf } from './data/run-config.ts';
import { safetensors, tinyConfig, tinyShapes, tinyTokenizer, writeTinyModel } from './data/tiny-model.ts';
import { startS3Server, type TestServer } from './sources/s3-server.ts';

let top: string;
let server: TestServer;
before(async () => {
  server = await startS3Server();
  await server.makeBucket('data');
});
after(() => server.stop());
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'finetune-preflight-'));
  await writeTinyModel(place('model'));
  await mkdir(place('dataset'));
  await mkdir(place('output'));
  await writeFile(place('dataset', 'train.jsonl'), lines(60));
  await writeFile(place('dataset', 'test.jsonl'), lines(20, 1000));
});
afterEach(() => rm(top, { recursive: true }));

const place = (...parts: string[]) => join(top, ...parts);
const folders = () => ({ model: place('model'), dataset: place('dataset'), output: place('output') });
const json = (name: string, value: unknown) => writeFile(place('model', name), JSON.stringify(value));

/** Rows of two labels, no text twice. */
function lines(count: number, from = 0): string {
  return Array.from({ length: count }, (_, row) => {
    const label = row % 2 === 0 ? 'spam' : 'ham';
    return `${JSON.stringify({ text: `${label === 'spam' ? 'free money' : 'lunch noon'} ${from + row}`, label })}\n`;
  }).join('');
}

async function check(change?: (config: RunConfig) => void): Promise<PreflightReport> {
  const work = await mkdtemp(place('work-'));
  return preflightReport.parse(await preflight(runConfigOf(folders(), change), work, () => {}));
}

test('good data and a good model give a complete report', async () => {
  const phases: string[] = [];
  const work = place('work');
  const report = await preflight(runConfigOf(folders()), work, (phase) => phases.push(phase));
  assert.deepEqual(phases, ['Downloading', 'Preparing']);
  const parameters = Object.values(tinyShapes()).reduce(
    (sum, shape) => sum + shape.reduce((product, axis) => product * axis, 1),
    0,
  );
  const { splits, memoryEstimateBytes, diskEstimateBytes, modelDigest: digest, ...rest } = report;
  assert.deepEqual(rest, {
    labels: 2,
    tokens: { median: 6, p95: 6, max: 6 },
    leakedRows: 0,
    nearLeakedRows: 0,
    conflictingRows: 0,
    unknownTokenShare: 0,
    lengthRuleAccuracy: 0.5,
    totalSteps: 30,
    modelType: 'bert',
    parameters,
    warnings: ['The test split has only 20 rows: a gain of a few percent may be chance. Hold out more rows.'],
  });
  assert.deepEqual(splits.train.labels, [
    ['ham', 30],
    ['spam', 30],
  ]);
  assert.ok(memoryEstimateBytes > 16 * parameters);
  // The weights stay on their volume: the best ones twice, and those of a checkpoint with two moments.
  assert.ok(
    diskEstimateBytes > 4 * 5 * parameters && diskEstimateBytes < 4 * 20 * parameters,
    `${diskEstimateBytes}`,
  );
  assert.deepEqual(await readdir(place('output')), [], 'the probe is removed');
  await assert.rejects(readFile(join(work, 'model', 'model.safetensors')), 'weights are not downloaded');
  const local = await openSource({ kind: 'volume', uri: 'local', directory: place('model') });
  assert.equal(await modelDigest(local), digest);
});

test('a bucket gives the same report as a volume, but its weights need room for a copy', async () => {
  const want = await check();
  for (const name of ['model', 'dataset', 'output'])
    await cp(place(name), join(server.directory, 'data', name), { recursive: true });
  const got = await check((config) => {
    config.model = server.location('data', 'model');
    config.dataset.source = server.location('data', 'dataset');
    config.output = server.location('data', 'output');
  });
  const { size } = await stat(place('model', 'model.safetensors'));
  assert.deepEqual(got, { ...want, diskEstimateBytes: want.diskEstimateBytes + size });
  assert.deepEqual(await readdir(join(server.directory, 'data', 'output')).catch(() => []), []);
});

test('the digest tells other weights, other configs and other names', async () => {
  const digest = async () => (await check()).modelDigest;
  const first = await digest();
  await writeFile(place('model', 'README.md'), 'not part of it');
  assert.equal(await digest(), first);
  await json('tokenizer_config.json', { pad_token: '[PAD]' });
  const second = await digest();
  assert.notEqual(second, first);
  const weights = safetensors(tinyShapes());
  weights.fill(7, weights.length - 4096);
  await writeFile(place('model', 'model.safetensors'), weights);
  assert.notEqual(await digest(), second);
});

test('sharded weights are checked as one', async () => {
  const want = await check();
  const shapes = Object.entries(tinyShapes());
  const parts = [shapes.slice(0, 9), shapes.slice(9)];
  const weight_map: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const name = `model-0000${index + 1}-of-00002.safetensors`;
    await writeFile(place('model', name), safetensors(Object.fromEntries(part)));
    for (const [tensor] of part) weight_map[tensor] = name;
  }
  await json('model.safetensors.index.json', { weight_map });
  await rm(place('model', 'model.safetensors'));
  assert.equal((await check()).parameters, want.parameters);
  await rm(place('model', 'model-00002-of-00002.safetensors'));
  await assert.rejects(check(), { category: 'ModelError' });
});

type Bad = {
  given: () => Promise<unknown>;
  change?: (config: RunConfig) => void;
  category: string;
  message: RegExp;
};
const weightsWith = (edit: (bytes: Buffer) => Buffer) => async () => {
  const file = place('model', 'model.safetensors');
  await writeFile(file, edit(await readFile(file)));
};
const nothing = async () => {};

const bad: Record<string, Bad> = {
  'an unknown model type': {
    given: () => json('config.json', { ...tinyConfig, model_type: 'gpt2' }),
    category: 'ModelError',
    message: /"gpt2" is not supported/,
  },
  'a broken config.json': {
    given: () => writeFile(place('model', 'config.json'), '{'),
    category: 'ModelError',
    message: /config.json/,
  },
  'no config.json': {
    given: () => rm(place('model', 'config.json')),
    category: 'ModelError',
    message: /has no config.json/,
  },
  'weights as a pickle': {
    given: async () => {
      await rm(place('model', 'model.safetensors'));
      await writeFile(place('model', 'pytorch_model.bin'), 'x');
    },
    category: 'ModelError',
    message: /only as pytorch_model.bin, a Python pickle/,
  },
  'no weights': {
    given: () => rm(place('model', 'model.safetensors')),
    category: 'ModelError',
    message: /has no model.safetensors/,
  },
  'weights cut off': {
    given: weightsWith((bytes) => bytes.subarray(0, bytes.length - 10)),
    category: 'ModelError',
    message: /model.safetensors is damaged: it is cut off/,
  },
  'weights cut inside the header': {
    given: weightsWith((bytes) => bytes.subarray(0, 100)),
    category: 'ModelError',
    message: /its header claims \d+ bytes and the file has 100/,
  },
  'an empty weights file': {
    given: weightsWith(() => Buffer.alloc(0)),
    category: 'ModelError',
    message: /it has only 0 bytes/,
  },
  'a header that is not JSON': {
    given: weightsWith((bytes) => Buffer.concat([bytes.subarray(0, 8), Buffer.from('x'), bytes.subarray(9)])),
    category: 'ModelError',
    message: /header is not JSON/,
  },
  'weights of another shape': {
    given: () => json('config.json', { ...tinyConfig, intermediate_size: 32 }),
    category: 'ModelError',
    message: /does not fit its config.json/,
  },
  'a tokenizer of another model': {
    given: () => json('tokenizer.json', tinyTokenizer(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a'])),
    category: 'ModelError',
    message: /does not match the vocabulary/,
  },
  'a maxLength above the positions': {
    given: nothing,
    change: ({ training }) => {
      training.maxLength = 128;
    },
    category: 'ConfigError',
    message: /maxLength is 128, but the model has only 64/,
  },
  'a frozen part that the model does not have': {
    given: nothing,
    change: ({ training }) => {
      training.freeze = ['bert.embeddings', 'roberta.encoder'];
    },
    category: 'ConfigError',
    message: /training\.freeze\[1\]: 'roberta\.encoder' matches no weight/,
  },
  'an empty model folder': {
    given: async () => {
      await rm(place('model'), { recursive: true });
      await mkdir(place('model'));
    },
    category: 'SourceNotFound',
    message: /pvc:\/\/claim\/model/,
  },
  'a file of the dataset that is not there': {
    given: () => rm(place('dataset', 'test.jsonl')),
    category: 'SourceNotFound',
    message: /test.jsonl in pvc:\/\/claim\/data/,
  },
  'a column that is not there': {
    given: nothing,
    change: ({ dataset }) => {
      dataset.columns.text = 'message';
    },
    category: 'DataError',
    message: /train.jsonl line 1: no column "message"; the columns are "text", "label"/,
  },
  'a bad row': {
    given: async () => writeFile(place('dataset', 'train.jsonl'), `${lines(6)}{"text": "x", "label"\n`),
    category: 'DataError',
    message: /train.jsonl line 7: not valid JSON/,
  },
  'an output that cannot be written': {
    given: async () => {
      await rm(place('output'), { recursive: true });
      await writeFile(place('output'), 'a file');
    },
    category: 'OutputError',
    message: /Cannot write .*pvc:\/\/claim\/output/,
  },
  'a bucket for the output that is not there': {
    given: nothing,
    change: (config) => {
      config.output = server.location('nowhere');
    },
    category: 'SourceNotFound',
    message: /no bucket "nowhere"/,
  },
  'a work volume without room for the run': {
    given: nothing,
    change: (config) => {
      config.workBytes = 1000;
    },
    category: 'ConfigError',
    message: /^The run needs 0.0 GB on the work volume/,
  },
  'credentials that the server refuses': {
    given: async () => {
      await mkdir(place('keys'));
      await writeFile(place('keys', 'accessKeyId'), server.accessKeyId);
      await writeFile(place('keys', 'secretAccessKey'), 'wrong');
    },
    change: (config) => {
      config.dataset.source = { ...server.location('data', 'dataset'), credentialsDirectory: place('keys') };
    },
    category: 'SourceForbidden',
    message: /refused the credentials/,
  },
};
for (const [name, { given, change, category, message }] of Object.entries(bad))
  test(`refused: ${name}`, async () => {
    await given();
    await assert.rejects(check(change), (error) => {
      assert.ok(error instanceof TrainerError, String((error as Error).stack));
      assert.equal(error.category, category, error.message);
      assert.match(error.message, message);
      assert.ok(error.hint !== '' && error.message.length <= 2048 && error.hint.length <= 1024);
      return true;
    });
  });

test('a report with very many long labels still fits into the termination message', async () => {
  const rows = Array.from({ length: 500 }, (_, row) =>
    JSON.stringify({ text: `free ${row % 3}`, label: `${'é'.repeat(120)}${row % 250}` }),
  );
  for (const file of ['train.jsonl', 'test.jsonl']) await writeFile(place('dataset', file), rows.join('\n'));
  const report = await check();
  assert.ok(Buffer.byteLength(JSON.stringify(report)) <= 3500);
  assert.ok(3500 < maxTerminationBytes - 400);
  assert.equal(report.labels, 250);
  assert.ok(report.warnings.length > 0 && report.splits.train.labels.length > 0);
});
