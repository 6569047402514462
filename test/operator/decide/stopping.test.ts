/** What a person sees of a run that stops on a node which does not answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import { after, aPod, endedStatus, interrupted, pass, runningStatus } from '../builders.ts';
import { type Case, running, testCases, trainJob, withSpec } from './worlds.ts';

/** To stop by 120 seconds after the start; a node that answers has told the end a minute later. */
const toStop = aPod(trainJob, 'one', runningStatus, { deletionTimestamp: after(120) });
const asked = (spec: object): Observed => ({ ...pass(withSpec(running, spec)).next, pods: [toStop] });
const lost = (spec: object) => pass(asked(spec), after(180)).next;
const named = /Node node-1 does not tell that pod \S+-train-one has ended.*kubectl get node node-1/;

const cases: Record<string, Case> = {
  'cancelled, its node has time to tell the end of the pod': {
    given: asked({ cancel: true }),
    now: after(179),
    want: { phase: 'Stopping', does: [] },
    message: /The pod stops after a checkpoint/,
  },
  'then the node is named, and the run is not over': {
    given: asked({ cancel: true }),
    now: after(180),
    want: { phase: 'Stopping', reason: 'Cancelled', does: [] },
    message: named,
  },
  'and over when the node has told': {
    given: {
      ...lost({ cancel: true }),
      pods: [aPod(trainJob, 'one', endedStatus(143, interrupted('one')))],
    },
    now: after(500),
    want: { phase: 'Cancelled', does: [] },
  },
  'held, the node is named too': {
    given: asked({ suspend: true }),
    now: after(180),
    want: { phase: 'Suspended', reason: 'SuspendedByUser', does: [], says: [] },
    message: named,
  },
  'and before another run starts': {
    given: { ...withSpec(running, { runId: '2' }), batchJobs: [], pods: [toStop] },
    now: after(180),
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
    message: named,
  },
};

testCases(cases);

test('the run is looked at again when its node should have told, and not all the time afterwards', () => {
  const world = asked({ cancel: true });
  assert.equal(pass(world, after(100)).plan.requeueAfterMs, 80_000);
  assert.equal(pass(world, after(180)).plan.requeueAfterMs, undefined);
});
