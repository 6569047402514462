import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller } from '../../../operator/controller/controller.ts';
import { Queue } from '../../../operator/controller/queue.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';

test('passes that ask for nothing leave turns to the lease and the probes', async () => {
  const queue = new Queue({ clock: systemClock, backoff: { baseMs: 1, capMs: 1 } });
  let passes = 0;
  const pass = async () => {
    if (++passes === 1000) queue.stop();
    return { kind: 'done' as const };
  };
  const options = { queue, pass, log: createLog('error'), workers: 4, metrics: createMetrics('0.0.0') };
  for (let i = 0; i < 1000; i++) queue.add(`n/job-${i}`);
  let passesAtFirstTurn: number | undefined;
  setImmediate(() => {
    passesAtFirstTurn = passes;
  });
  await new Controller(options).run(new AbortController().signal);
  assert.ok(passesAtFirstTurn !== undefined && passesAtFirstTurn <= 4, `${passesAtFirstTurn} passes`);
});
