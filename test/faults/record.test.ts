import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planOf } from './plans.ts';
import { isInSlice, knownOf, merged, shortcomings, summaryOf } from './record.ts';

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

  it('keeps a difference until it is about another operator', () => {
    const [once, twice] = ['success/500/create-job-train.1', 'success/429/create-job-train.1'];
    const plans = { [once]: 'different', [twice]: 'missed' } as const;
    const before = { of: 'a state', plans, ofMutants: 'theirs', mutants: {} };
    const again = [once, twice].map((id) => ({ plan: planOf(id), verdict: 'same' as const }));
    assert.deepEqual(merged(before, again).plans, { [once]: 'different', [twice]: 'same' });
  });

  const whole = { plans: 1900, differences: 0, mutants: 7, mutantsFound: 7 };
  const rows: [string, object, number, RegExp | undefined][] = [
    ['is content with a whole set', {}, 100, undefined],
    ['wants a thousand plans', { plans: 999 }, 0, /999 plans/],
    ['wants nearly all plans to be reached', {}, 101, /101 plans never/],
    ['wants no difference', { differences: 1 }, 0, /1 plans ended/],
    ['wants each planted defect to be found', { mutantsFound: 6 }, 0, /1 planted defects/],
  ];
  for (const [name, changes, missed, telling] of rows)
    it(name, () => {
      const byWorkload = { success: { plans: 0, differences: 0, missed } };
      const found = shortcomings({ ...whole, byWorkload, ...changes }).join();
      if (telling === undefined) assert.equal(found, '');
      else assert.match(found, telling);
    });

  it('knows nothing of another operator or suite, and of the planted defects nothing once they are others', () => {
    const before = { of: 'a', plans: { one: 'same' }, ofMutants: 'b', mutants: { two: true } } as const;
    assert.deepEqual(knownOf(before, { of: 'a', ofMutants: 'b' }), before);
    const other = { of: 'a', ofMutants: 'c' };
    assert.deepEqual(knownOf(before, other), { ...before, ...other, mutants: {} });
    const another = { of: 'c', ofMutants: 'b' };
    for (const known of [before, undefined])
      assert.deepEqual(knownOf(known, another), { ...another, plans: {}, mutants: {} });
  });

  it('puts each plan into exactly one slice', () => {
    for (let i = 0; i < 100; i++) {
      const slices = [1, 2, 3, 4, 5].filter((slice) => isInSlice(`success/500/status.${i}`, slice, 5));
      assert.equal(slices.length, 1);
    }
  });
});
