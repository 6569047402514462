import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isInSlice, summaryOf } from './record.ts';

describe('record of the fault plans', () => {
  it('counts by workload, what was never reached apart', () => {
    const record = {
      plans: {
        'success/500/create-job-train.1': 'same',
        'success/hang/create-job-train.1': 'different',
        'success/429/create-job-train.1': 'missed',
        'cancel/kill-before/patch-job-train.1': 'same',
      },
      mutants: { one: true, other: false },
    } as const;
    assert.deepEqual(summaryOf(record), {
      plans: 3,
      differences: 1,
      mutants: 2,
      mutantsFound: 1,
      byWorkload: {
        cancel: { plans: 1, differences: 0, missed: 0 },
        success: { plans: 2, differences: 1, missed: 1 },
      },
    });
  });

  it('puts each plan into exactly one slice', () => {
    for (let i = 0; i < 100; i++) {
      const slices = [1, 2, 3, 4, 5].filter((slice) => isInSlice(`success/500/status.${i}`, slice, 5));
      assert.equal(slices.length, 1);
    }
  });
});
