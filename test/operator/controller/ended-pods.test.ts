import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EndedPods } from '../../../operator/controller/ended-pods.ts';
import { aPod, endedStatus, interrupted, runningStatus, trained } from '../builders.ts';

describe('ended pods', () => {
  const { trainJob } = trained();
  const ended = (name: string) => aPod(trainJob, name, endedStatus(143, interrupted(name)));
  const uids = (pods: EndedPods) => pods.of('a').map(({ metadata }) => metadata?.uid);

  it('stay known when they are gone, until their job is gone', () => {
    const pods = new EndedPods();
    pods.keep('a', ended('t0'));
    assert.deepEqual(uids(pods), ['t0']);
    assert.deepEqual(pods.of('b'), []);
    pods.forget('a');
    assert.deepEqual(uids(pods), []);
  });

  it('are not those that still did something', () => {
    const pods = new EndedPods();
    pods.keep('a', aPod(trainJob, 't0', runningStatus));
    assert.deepEqual(uids(pods), []);
  });

  it('are the last ten of a job', () => {
    const pods = new EndedPods();
    for (let i = 0; i < 12; i++) pods.keep('a', ended(`t${i}`));
    assert.deepEqual(uids(pods), ['t2', 't3', 't4', 't5', 't6', 't7', 't8', 't9', 't10', 't11']);
  });
});
