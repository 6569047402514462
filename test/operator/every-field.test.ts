/** Each field of the spec has an effect: on the run config, on a Job or its pod, or on what is decided. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { Observed } from '../../operator/decide/plan.ts';
import { changed } from '../crds/objects.ts';
import {
  after,
  aPod,
  aRuntime,
  endedStatus,
  failed,
  observe,
  pass,
  runningStatus,
  specOf,
  trained,
} from './builders.ts';
import { ended } from './decide/worlds.ts';
import { leaves, validOf } from './generated-specs.ts';

const claim = { persistentVolumeClaim: { claimName: 'data', path: 'a' } };
/** Specs in which fields have a meaning that have none in the smallest one. */
const contexts: object[] = [
  {},
  { model: claim, output: claim, dataset: { ...specOf().dataset, source: claim } },
  { task: 'TokenClassification' },
  { task: 'MaskedLM', dataset: { ...specOf().dataset, format: 'Text' } },
  ...['CosineWithRestarts', 'Polynomial', 'ReduceLROnPlateau'].map((schedule) => ({
    training: { schedule },
  })),
  { training: { optimizer: 'SGD' } },
  { gate: { metric: 'accuracy', minimum: '0.5' } },
];

/** What is decided about a job with this spec at the stations of its way. */
function effectOf(spec: object): string | undefined {
  const parsed = fineTuneJobSpec.safeParse(spec);
  if (!parsed.success) return undefined;
  const put = (world: Observed): Observed => ({ ...world, job: { ...world.job, spec: parsed.data } });
  const { next, trainJob } = trained();
  const withPod = (status: Parameters<typeof aPod>[2]) =>
    put({ ...next, pods: [aPod(trainJob, 'one', status)] });
  const stations: [Observed, Date?][] = [
    [put(observe())],
    [put(observe({ runtime: undefined }))],
    [put({ ...next, batchJobs: next.batchJobs.filter((job) => job !== trainJob) })],
    [put(next), after(2 ** 30)],
    [withPod(runningStatus), after(2 ** 30)],
    [{ ...withPod(runningStatus), runtime: aRuntime({ accelerator: { pricePerHour: '4' } }) }, after(3600)],
    [withPod(endedStatus(18, failed('one', 'AcceleratorOutOfMemory', 'full')))],
    [put(ended), after(2 ** 30)],
  ];
  return JSON.stringify(stations.map(([world, now]) => pass(world, now).plan));
}

for (const { path, schema } of leaves) {
  test(`${path} has an effect`, () => {
    const values = [undefined, ...fc.sample<unknown>(validOf(schema), { seed: 1, numRuns: 30 })];
    const hasEffect = contexts.some((context) => {
      const effects = new Set<string>();
      for (const value of values) {
        const effect = effectOf(changed({ spec: specOf(context) }, { [path]: value }).spec);
        if (effect !== undefined) effects.add(effect);
        if (effects.size > 1) return true;
      }
      return false;
    });
    assert.ok(hasEffect, 'whatever stands there, the same is done');
  });
}
