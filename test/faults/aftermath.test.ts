import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Aftermath } from './aftermath.ts';
import type { Fault } from './faults.ts';

const watches = ['finetunejobs', 'finetuneruntimes', 'jobs', 'pods'].map((each) => `watch-${each}`);

describe('end of a fault', () => {
  const rows: [how: Fault['how'], at: string, shown: string[], afterMs: number][] = [
    ['kill-before', 'create-job-train', watches, Number.POSITIVE_INFINITY],
    ['restart', 'create-job-train', watches, Number.POSITIVE_INFINITY],
    ['delay', 'event-of-pods-train-Running', ['released'], Number.POSITIVE_INFINITY],
    ['window', 'event-of-pods-train-Running', ['watch-pods'], Number.POSITIVE_INFINITY],
    ['silence', 'event-of-jobs-train-Complete', ['watch-jobs'], Number.POSITIVE_INFINITY],
    ['503', 'list-pods', ['list-pods'], Number.POSITIVE_INFINITY],
    ['429', 'event-Resumed', ['event-Resumed'], 1500],
    ['hang', 'create-job-train', ['create-job-train'], 3500],
  ];
  for (const [how, at, shown, afterMs] of rows)
    it(`${how} at ${at}`, () => {
      let now = 0;
      const aftermath = new Aftermath(() => now);
      assert.ok(aftermath.isOver);
      aftermath.begin(how, at);
      now = Number.isFinite(afterMs) ? afterMs : 1e9;
      assert.ok(!aftermath.isOver, 'nothing shows it');
      for (const name of ['list-jobs', ...shown.slice(1)]) aftermath.answered(name);
      assert.ok(!aftermath.isOver, 'not all shows it');
      aftermath.answered(shown[0]!);
      assert.ok(aftermath.isOver);
      aftermath.begin(how, at);
      now = 2 * now + 1;
      assert.equal(aftermath.isOver, Number.isFinite(afterMs), 'after its time');
    });
});
