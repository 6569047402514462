/** What a save that was cut off leaves in the output, and when it goes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { logTo } from '../../../trainer-image/log.ts';
import { CheckpointStore } from '../../../trainer-image/run/checkpoint-store.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';

const root = mkdtempSync(join(tmpdir(), 'unfinished-'));
after(() => rmSync(root, { recursive: true }));
const place = join(root, 'output');
const local = join(root, 'local');

beforeEach(() => {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
});

const stepFolder = (step: number) => `step-${String(step).padStart(8, '0')}`;
const at = (step: number, ...file: string[]) => join(place, 'checkpoints', '1', stepFolder(step), ...file);
const steps = () => readdirSync(join(place, 'checkpoints', '1')).map((name) => Number(name.slice(5)));

/** The store as a pod opens it when it starts. */
async function openInNewPod({ runId = '1', configHash = 'h' } = {}): Promise<CheckpointStore> {
  const output = await openSource({ kind: 'volume', uri: 'pvc://out', directory: place });
  return CheckpointStore.open({ output, runId, configHash, keep: 2, log: logTo(() => {}) });
}

async function save(store: CheckpointStore, step: number): Promise<void> {
  rmSync(local, { recursive: true, force: true });
  mkdirSync(local);
  writeFileSync(join(local, 'data'), `${step}`);
  const sha256 = createHash('sha256').update(`${step}`).digest('hex');
  await store.upload(local, { step, files: [{ path: 'data', bytes: `${step}`.length, sha256 }] });
}

/** A save that another pod has begun. */
function begin(step: number): void {
  mkdirSync(at(step), { recursive: true });
  writeFileSync(at(step, 'data'), 'a part');
  writeFileSync(at(step, '.1.part'), 'what was being written');
}

test('what cut-off saves left goes with the first save beyond them', async () => {
  await save(await openInNewPod(), 10);
  for (const step of [14, 17, 33]) begin(step);
  const store = await openInNewPod();
  await save(store, 20);
  assert.deepEqual(steps(), [10, 20, 33], 'a pod of a lost node may still write the newest one');
  await save(store, 30);
  await save(store, 40);
  assert.deepEqual(steps(), [30, 40]);
});

test('a save that fails midway leaves nothing once a later one is through', async () => {
  const store = await openInNewPod();
  mkdirSync(at(10, 'manifest.json'), { recursive: true });
  await assert.rejects(save(store, 10), { category: 'OutputError' });
  rmSync(at(10, 'manifest.json'), { recursive: true });
  assert.ok(existsSync(at(10, 'data')));
  await save(store, 20);
  assert.deepEqual(steps(), [20]);
});

test('what an earlier pod still finishes stays, and so does what it begins later', async () => {
  const earlier = await openInNewPod();
  begin(10);
  const store = await openInNewPod();
  await save(earlier, 10);
  begin(15);
  await save(store, 20);
  assert.deepEqual(steps(), [10, 15, 20]);
  await save(await openInNewPod(), 30);
  assert.deepEqual(steps(), [20, 30]);
});

test('complete checkpoints of another config and folders of other runs are left alone', async () => {
  await save(await openInNewPod({ configHash: 'other' }), 5);
  await save(await openInNewPod({ runId: '2' }), 5);
  const ofOtherRun = join(place, 'checkpoints', '2', stepFolder(5));
  rmSync(join(ofOtherRun, 'manifest.json'));
  const store = await openInNewPod();
  for (const step of [10, 20]) await save(store, step);
  assert.deepEqual(steps(), [5, 10, 20]);
  assert.ok(existsSync(join(ofOtherRun, 'data')));
});
