import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller } from '../../../operator/controller/controller.ts';
import { Queue } from '../../../operator/controller/queue.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { ApiError } from '../../../operator/kube/errors.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { FakeClock } from '../fake-clock.ts';

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

test('a pass that throws is counted and tried again after a wait that grows; the others go on', async () => {
  const clock = new FakeClock();
  const queue = new Queue({ clock, backoff: { baseMs: 1000, capMs: 60_000 }, random: () => 1 });
  const metrics = createMetrics('0.0.0');
  const times: Record<string, number[]> = {};
  /** What the next passes of a key throw; none left = it is well. */
  const errors: Record<string, unknown[]> = {
    'n/defect': [new TypeError('no such thing'), 'not even an error', new RangeError('too long')],
    'n/asked': [new ApiError('TooManyRequests', 'slow down', { status: 429, retryAfterMs: 7000 })],
    'n/conflict': [new ApiError('Conflict', 'changed meanwhile', { status: 409 })],
  };
  const pass = async (key: string) => {
    times[key] = [...(times[key] ?? []), clock.now()];
    const [error] = errors[key]?.splice(0, 1) ?? [];
    if (error !== undefined) throw error;
    return { kind: 'done' as const };
  };
  const log = createLog('error', true);
  const running = new Controller({ queue, pass, log, workers: 8, metrics }).run(new AbortController().signal);
  /** In small steps: a worker gives turns to others between two keys. */
  const advance = async (seconds: number) => {
    for (let i = 0; i < seconds * 2; i++) await clock.advance(500);
  };
  for (const key of [...Object.keys(errors), 'n/healthy']) queue.add(key);
  await advance(60);
  assert.deepEqual(times, {
    'n/defect': [0, 1000, 3000, 7000],
    'n/asked': [0, 7000],
    'n/conflict': [0, 1000],
    'n/healthy': [0],
  });
  const counts = Object.fromEntries(
    (await metrics.reconciles.get()).values.map(({ labels, value }) => [labels['result'], value]),
  );
  assert.deepEqual(counts, { error: 4, requeue: 1, success: 4 });
  assert.equal((await metrics.reconcileErrors.get()).values[0]?.value, 4);
  assert.equal((await metrics.activeWorkers.get()).values[0]?.value, 0);

  errors['n/defect'] = [new TypeError('again')];
  queue.add('n/defect');
  await advance(10);
  assert.deepEqual(
    times['n/defect']?.slice(4),
    [60_000, 61_000],
    'after it was well, a failure is its first',
  );
  queue.stop();
  await running;
});
