import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mutants } from './mutants.ts';
import { idOf, plansFor } from './plans.ts';
import { allPlans, type Learned } from './suite.ts';
import { type WorkloadName, workloads } from './workloads.ts';

const writes = [
  'create-job-train.1',
  'status-Pending-TrainingPending.1',
  'event-Resumed.1',
  'lease-update.3',
];
const places = [...writes, 'lease-update.4', 'list-pods.1', 'event-of-pods-train-Running.1'];
const kills = ['kill-before', 'kill-unanswered', 'kill-after'];

describe('the set of plans', () => {
  const names = Object.keys(workloads) as WorkloadName[];
  const learned = new Map(names.map((name) => [name, { places } as unknown as Learned]));
  const ids = allPlans(learned, 1).map(idOf);

  it('has every kill at every write of every workload', () => {
    for (const name of names)
      for (const place of writes)
        for (const how of kills)
          assert.ok(ids.includes(`${name}/${how}/${place}`), `${name} ${how} ${place}`);
  });

  it('has no plan twice, and none for a lease that is renewed for ever', () => {
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(!ids.some((id) => id.endsWith('lease-update.4')));
  });

  it('has each fault at the lease where replicas elect, those after which a renewal is stored and not answered too', () => {
    const hows = plansFor('two-replicas', places, [], 1)
      .filter(({ fault }) => fault.at === 'lease-update')
      .map(({ fault }) => fault.how);
    const others = ['409', '500', 'reset', 'reset-committed', 'hang', 'hang-committed'];
    assert.deepEqual(hows.toSorted(), [...others, ...kills].toSorted());
  });

  it('has each fault at what changes or removes a Job and at reads of one object, in every workload', () => {
    const hows = (place: string) =>
      plansFor('cancel', [...places, place], places, 1)
        .filter((plan) => `${plan.fault.at}.${plan.fault.nth}` === place)
        .map(({ fault }) => fault.how);
    for (const how of [
      '409',
      '429',
      '500',
      '503',
      'reset',
      'reset-committed',
      'hang',
      'half',
      'close',
    ] as const)
      assert.ok(hows('patch-job-train.1').includes(how), how);
    assert.deepEqual(hows('read-finetunejobs.1'), ['429', '500', '503', 'reset', 'hang', 'half', 'close']);
  });

  it('has the plans that find the planted defects', () => {
    assert.deepEqual(
      mutants.flatMap(({ plans }) => plans).filter((id) => !ids.includes(id)),
      [],
    );
  });
});
