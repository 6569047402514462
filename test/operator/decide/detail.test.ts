import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutDetails } from '../../../operator/decide/detail.ts';
import { aPod, pass, runningStatus, unschedulable, waitingStatus } from '../builders.ts';
import { inPreflight, inTraining, ready, trainJob } from './worlds.ts';

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
