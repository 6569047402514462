/** What tools that follow kstatus (Flux, Argo CD, kpt) make of a job at each station of its way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import { aJob, observe, pass, runningStatus } from '../builders.ts';
import { ended, fresh, inPreflight, ready, running } from './worlds.ts';

/** The rules of kstatus for resources that it does not know, in its order. */
function kstatusOf({
  metadata,
  status,
}: Observed['job']): 'Terminating' | 'InProgress' | 'Failed' | 'Current' {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (status?.observedGeneration !== metadata.generation) return 'InProgress';
  const holds = (type: string) => status?.conditions?.find((one) => one.type === type)?.status === 'True';
  if (holds('Reconciling')) return 'InProgress';
  if (holds('Stalled')) return 'Failed';
  return holds('Ready') ? 'Current' : 'InProgress';
}

const after = (world: Observed): Observed => pass(world).next;
const failing: Observed['job'] = {
  ...aJob(),
  spec: { ...aJob().spec, training: { ...aJob().spec.training, epochs: '0' } },
};

const stations: Record<string, [Observed, ReturnType<typeof kstatusOf>]> = {
  'nothing is said yet': [observe(), 'InProgress'],
  'preflight waits': [fresh, 'InProgress'],
  'preflight runs': [after(inPreflight(runningStatus)), 'InProgress'],
  'the train Job is made': [ready, 'InProgress'],
  'it trains': [running, 'InProgress'],
  'it has succeeded': [ended, 'Current'],
  'it has failed': [after(observe({ job: failing })), 'Failed'],
  'it is cancelled': [after(observe({ job: aJob({ cancel: true }) })), 'Failed'],
  'it is on hold': [after(observe({ job: aJob({ suspend: true }) })), 'InProgress'],
  'it waits for its runtime': [after(observe({ runtime: undefined })), 'Failed'],
  'it is deleted': [
    {
      ...running,
      job: { ...running.job, metadata: { ...running.job.metadata, deletionTimestamp: new Date() } },
    },
    'Terminating',
  ],
  'its spec has changed since': [
    { ...ended, job: { ...ended.job, metadata: { ...ended.job.metadata, generation: 99 } } },
    'InProgress',
  ],
};

for (const [name, [{ job }, want]] of Object.entries(stations))
  test(`${name}: ${want}`, () => assert.equal(kstatusOf(job), want));
