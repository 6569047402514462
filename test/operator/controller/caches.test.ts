import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Caches } from '../../../operator/controller/caches.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { Packed } from '../../../operator/kube/packed.ts';
import { createLog } from '../../../operator/log.ts';
import { aBatchJob, aJob, aPod, endedStatus, jobCondition, runningStatus } from '../builders.ts';
import { ended, running } from '../decide/worlds.ts';
import { FakeClock } from '../fake-clock.ts';

const caches = new Caches({
  // Nothing is asked of it before the caches run.
  client: {} as Client,
  clock: new FakeClock(),
  log: createLog('error', true),
  namespace: undefined,
  observer: () => ({ listed() {}, failed() {}, event() {}, handlerFailed() {} }),
  onJob() {},
});
const isPacked = ({ entry }: { entry: { kept: object } }) => entry.kept instanceof Packed;

test('a FineTuneJob is packed when its run is over', () => {
  assert.equal(isPacked(caches.jobs.listed(running.job)), false);
  assert.equal(isPacked(caches.jobs.listed(ended.job)), true);
});

test('a Job is packed when it is complete or has failed', () => {
  const job = (status?: ReturnType<typeof jobCondition>) =>
    caches.batchJobs.listed(aBatchJob(aJob(), 'train', status && { status }));
  assert.equal(isPacked(job()), false);
  assert.equal(isPacked(job(jobCondition('Suspended', 'JobSuspended'))), false);
  assert.equal(isPacked(job(jobCondition('Complete', 'Done'))), true);
  assert.equal(isPacked(job(jobCondition('Failed', 'PodFailurePolicy'))), true);
});

test('a pod is packed when its trainer has ended, well or not', () => {
  const pod = (status: Parameters<typeof aPod>[2]) =>
    caches.pods.listed(aPod(aBatchJob(aJob(), 'train'), 'one', status));
  assert.equal(isPacked(pod(runningStatus)), false);
  assert.equal(isPacked(pod(endedStatus(0, ''))), true);
  assert.equal(isPacked(pod(endedStatus(1, ''))), true);
});
