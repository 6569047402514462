import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { isStep, withoutDetails, withoutSteps } from '../../../operator/decide/detail.ts';
import { aPod, pass, runningStatus, unschedulable, waitingStatus } from '../builders.ts';
import { ended, inPreflight, inTraining, ready, trainJob } from './worlds.ts';

const said = (world: Parameters<typeof pass>[0]) => withoutDetails(pass(world).plan.status);

test('a pod on its way to a node, its volumes and its image changes no more than details', () => {
  const steps = [{}, unschedulable('0/3 nodes are available.'), waitingStatus('ContainerCreating')];
  const [first, ...others] = steps.map((status) => said(inPreflight(status)));
  assert.notEqual(first, undefined);
  for (const other of others) assert.deepEqual(other, first);
});

test('the node of an attempt is a detail, the attempt itself is none', () => {
  const unbound = aPod(trainJob, 'one');
  delete unbound.spec!.nodeName;
  const waiting = said({ ...ready, pods: [unbound] });
  assert.deepEqual(said(inTraining({})), waiting);
  assert.notDeepEqual(said(ready), waiting);
});

test('what a person should know and each transition are no details', () => {
  const denied = waitingStatus('ErrImagePull', 'access denied');
  assert.equal(said(inPreflight(denied)), undefined);
  const waiting = said(inPreflight({}));
  assert.notDeepEqual(said(inPreflight(runningStatus)), waiting);
});

test('a healthy stage that comes forward, with its first pod, takes a step', () => {
  const status = (world: Parameters<typeof pass>[0]) => pass(world).plan.status;
  const both = (before: Parameters<typeof pass>[0], after: Parameters<typeof pass>[0]) => {
    const [one, other] = [status(before), status(after)];
    return isStep(one, other) && isDeepStrictEqual(withoutSteps(one), withoutSteps(other));
  };
  assert.equal(both(inPreflight({}), inPreflight(runningStatus)), true);
  assert.equal(both(ready, inTraining({})), true, 'the first pod');
  assert.equal(both(inTraining({}), inTraining(runningStatus)), true);
  assert.equal(both(inTraining(runningStatus), inTraining({})), false, 'it went back');
  assert.equal(both(inPreflight(runningStatus), ready), false, 'the next stage');
  assert.equal(both(inTraining(runningStatus), ended), false, 'the end');
  const denied = inTraining(waitingStatus('ErrImagePull', 'access denied'));
  assert.equal(both(inTraining({}), denied), false, 'a person should know');
});

test('the pod of another attempt is no step', () => {
  const { status } = pass(inTraining({})).plan;
  assert.equal(isStep(status, { ...status, attempt: { ...status.attempt!, podUID: 'two' } }), false);
});
