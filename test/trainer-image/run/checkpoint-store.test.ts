import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { logTo } from '../../../trainer-image/log.ts';
import { CheckpointStore } from '../../../trainer-image/run/checkpoint-store.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import type { Source } from '../../../trainer-image/sources/source.ts';
import { writeChunks } from '../../../trainer-image/sources/transfer.ts';

const root = mkdtempSync(join(tmpdir(), 'store-'));
after(() => rmSync(root, { recursive: true }));
const place = join(root, 'output');
const local = join(root, 'local');
let warnings: unknown[] = [];
const log = logTo((_level, _message, fields) => warnings.push(fields['problem']));

let output: Source;
beforeEach(async () => {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  output = await openSource({ kind: 'volume', uri: 'pvc://out', directory: place });
  warnings = [];
});

const open = (configHash = 'h', source = output) =>
  CheckpointStore.open({ output: source, runId: '1', configHash, keep: 2, log });
const at = (step: number, ...file: string[]) =>
  join(place, 'checkpoints', '1', `step-${String(step).padStart(8, '0')}`, ...file);

/** The real source with some of its methods replaced. */
function outputWith(replaced: Partial<Source>): Source {
  return {
    uri: output.uri,
    placesLinks: output.placesLinks,
    list: (folder) => output.list(folder),
    exists: (path) => output.exists(path),
    download: (path, file) => output.download(path, file),
    place: (path, file) => output.place(path, file),
    readRange: (path, start, length) => output.readRange(path, start, length),
    upload: (file, path) => output.upload(file, path),
    remove: (path) => output.remove(path),
    ...replaced,
  };
}

async function upload(store: CheckpointStore, step: number): Promise<void> {
  rmSync(local, { recursive: true, force: true });
  mkdirSync(local, { recursive: true });
  const text = `content of ${step}`;
  writeFileSync(join(local, 'data'), text);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const files = [{ path: 'data', bytes: text.length, sha256 }];
  await store.upload(local, { step, files, ...(step > 10 && { metric: { name: 'f1', value: step / 100 } }) });
}

const download = async (store: CheckpointStore) => {
  const step = await store.downloadNewest(join(root, 'restored'));
  return step === undefined ? undefined : readFileSync(join(root, 'restored', 'data'), 'utf8');
};

test('the newest checkpoint comes back, and only as many as wanted are kept', async () => {
  const store = await open();
  for (const step of [10, 20, 30]) await upload(store, step);
  const again = await open();
  assert.deepEqual(
    again.records().map(({ step }) => step),
    [30, 20],
  );
  assert.deepEqual(again.records(), store.records());
  assert.deepEqual(again.records()[1]?.metric, { name: 'f1', value: 0.2 });
  assert.match(again.records()[0]!.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await download(again), 'content of 30');
  assert.equal(existsSync(at(10, 'data')), false);
});

test('a checkpoint before the first evaluation has no metric', async () => {
  const store = await open();
  await upload(store, 10);
  assert.equal('metric' in store.records()[0]!, false);
});

test('without its manifest a checkpoint is not there', async () => {
  const store = await open();
  await upload(store, 10);
  await upload(store, 20);
  rmSync(at(20, 'manifest.json'));
  assert.equal(await download(await open()), 'content of 10');
});

for (const [name, damage] of Object.entries({
  'a changed byte': () => writeFileSync(at(20, 'data'), 'content of 2O'),
  'a cut file': () => writeFileSync(at(20, 'data'), 'cont'),
  'a missing file': () => rmSync(at(20, 'data')),
  'a manifest that is no JSON': () => writeFileSync(at(20, 'manifest.json'), '{"format":1'),
  'a manifest with a path that leads out': () =>
    writeFileSync(
      at(20, 'manifest.json'),
      JSON.stringify({
        format: 1,
        configHash: 'h',
        step: 20,
        time: 't',
        files: [{ path: '../x', bytes: 1, sha256: '' }],
      }),
    ),
})) {
  test(`${name}: the checkpoint before it is used, and the log says why`, async () => {
    const store = await open();
    await upload(store, 10);
    await upload(store, 20);
    damage();
    assert.equal(await download(await open()), 'content of 10');
    assert.equal(warnings.length, 1);
  });
}

for (const [when, change] of Object.entries({
  'before it is read': (vanish: () => void) =>
    outputWith({
      list: async (folder) => {
        const entries = await output.list(folder);
        vanish();
        return entries;
      },
    }),
  'after it was read': (vanish: () => void) =>
    outputWith({
      readRange: async (path, start, length) => {
        const read = await output.readRange(path, start, length);
        if (path.includes('20/')) vanish();
        return read;
      },
    }),
})) {
  test(`a checkpoint that another pod removes ${when}: the one before it is used`, async () => {
    const store = await open();
    for (const step of [10, 20]) await upload(store, step);
    const busy = await open(
      'h',
      change(() => rmSync(at(20), { recursive: true, force: true })),
    );
    assert.equal(await download(busy), 'content of 10');
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]), /^its manifest is gone/);
  });
}

test('checkpoints of another config are neither used nor removed', async () => {
  const other = await open('other');
  for (const step of [10, 20]) await upload(other, step);
  const store = await open();
  assert.deepEqual(store.records(), []);
  assert.equal(await download(store), undefined);
  for (const step of [5, 15, 25]) await upload(store, step);
  assert.deepEqual(
    readdirSync(join(place, 'checkpoints', '1'))
      .filter((step) => existsSync(join(place, 'checkpoints', '1', step, 'manifest.json')))
      .sort(),
    ['step-00000010', 'step-00000015', 'step-00000020', 'step-00000025'],
  );
});

const notOfTheCheckpoint: Record<string, { source: () => Partial<Source>; category: string }> = {
  'a server that does not answer': {
    category: 'SourceUnavailable',
    source: () => ({ download: () => Promise.reject(new TrainerError('SourceUnavailable', 'no', 'wait')) }),
  },
  'a manifest that the server refuses': {
    category: 'SourceForbidden',
    source: () => {
      let reads = 0;
      const refused = new TrainerError('SourceForbidden', 'the token has expired', 'renew it');
      return {
        readRange: (...range) => (++reads > 2 ? Promise.reject(refused) : output.readRange(...range)),
      };
    },
  },
  'a file that may not be read': {
    category: 'SourceForbidden',
    source: () => {
      rmSync(at(20, 'data'));
      writeFileSync(join(root, 'elsewhere'), 'x');
      symlinkSync(join(root, 'elsewhere'), at(20, 'data'));
      return {};
    },
  },
  'a full disk': { category: 'ConfigError', source: () => ({ download: toFullDisk }) },
  'a disk that cannot be written': {
    category: 'Internal',
    source: () => ({ download: (path) => output.download(path, join(root, 'no', 'folder')) }),
  },
};
for (const [name, { source, category }] of Object.entries(notOfTheCheckpoint)) {
  test(`${name} is an error, not a damaged checkpoint`, async () => {
    for (const step of [10, 20]) await upload(await open(), step);
    const store = await open('h', outputWith(source()));
    await assert.rejects(store.downloadNewest(join(root, 'restored')), { category });
    assert.deepEqual(warnings, []);
  });
}

/** Where a download writes to a disk that has no room left. */
async function toFullDisk(path: string): Promise<{ bytes: number; sha256: string }> {
  const full = await openFile('/dev/full', 'w');
  try {
    return await writeChunks(full, path, createReadStream(join(place, path)));
  } finally {
    await full.close();
  }
}

test('data goes up before the manifest, and an old manifest of the step goes first', async () => {
  const order: string[] = [];
  const recording = outputWith({
    upload: async (file, path) => {
      order.push(`+${path.split('/').at(-1)}`);
      await output.upload(file, path);
    },
    remove: async (path) => {
      order.push(`-${path.split('/').slice(-2).join('/')}`);
      await output.remove(path);
    },
  });
  const store = await open('h', recording);
  for (const step of [1, 2]) await upload(store, step);
  order.length = 0;
  await upload(store, 3);
  assert.deepEqual(order, [
    '-step-00000003/manifest.json',
    '+data',
    '+manifest.json',
    '-step-00000001/manifest.json',
    '-step-00000001/data',
  ]);
});
