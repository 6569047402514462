/** What a run that cannot go on costs: passes by the clock alone, with no news of the cluster, for an hour. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import { after, aJob, aRuntime, observe, pass, runningStatus, waitingStatus } from '../builders.ts';
import { inPreflight, inTraining, preflightJob, withSpec } from './worlds.ts';

const hour = 3600;
/** Of status writes: what it waits for is said, once more when it has lasted, and then there is no news. */
const mostWrites = 3;
/** One after each write, and one in ten seconds, which only the wait for a pod of an earlier run needs. */
const mostPasses = mostWrites + hour / 10;

const blocked: Record<string, Observed> = {
  'its runtime is not there': observe({ runtime: undefined }),
  'its runtime refuses it': observe({ runtime: aRuntime({ allowedEndpoints: ['https://s3.example.com'] }) }),
  'the name of its Job is taken': observe({ foreign: [`Job ${preflightJob.metadata?.name}`] }),
  'the image of preflight cannot be pulled': inPreflight(waitingStatus('ImagePullBackOff', 'no such image')),
  'preflight waits for a volume': inPreflight(waitingStatus('ContainerCreating')),
  'preflight runs for ever': inPreflight(runningStatus),
  'the image of the trainer cannot be pulled': inTraining(waitingStatus('ImagePullBackOff', 'no such image')),
  'the trainer says nothing': inTraining(runningStatus),
  'it is on hold': observe({ job: aJob({ suspend: true }) }),
  'a pod of an earlier run does not end': withSpec(inTraining(runningStatus), { runId: '2' }),
};

for (const [name, given] of Object.entries(blocked))
  test(`at most ${mostPasses} passes and ${mostWrites} status writes in an hour: ${name}`, () => {
    let world = given;
    let [passes, writes, seconds] = [0, 0, 0];
    while (seconds < hour) {
      const before = JSON.stringify(world.job.status);
      const { plan, next } = pass(world, after(seconds));
      passes++;
      if (JSON.stringify(next.job.status) !== before) writes++;
      // Its own writes come back as events, each of which makes a pass.
      if (JSON.stringify(next) === JSON.stringify(world)) {
        if (plan.requeueAfterMs === undefined) break;
        seconds += plan.requeueAfterMs / 1000;
      }
      world = next;
      assert.ok(passes <= mostPasses, `${passes} passes in ${seconds} s`);
    }
    assert.ok(writes <= mostWrites, `${writes} status writes`);
  });
