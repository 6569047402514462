/** A pod that is asked to stop in the middle of a step: what it saves, and what the next one makes of it. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { logTo } from '../../trainer-image/log.ts';
import type { Outcome, OutcomeOf } from '../../trainer-image/messages.ts';
import { tensorflowDirectory } from '../../trainer-image/tensorflow/directory.ts';
import { train } from '../../trainer-image/train.ts';
import { Workplace } from './trainer-process.ts';

let place: Workplace;
before(async () => {
  place = await Workplace.create();
});
after(() => place.remove());

const microBatches = 8;
/** The flag is looked at once before a step and once before each of its micro-batches. */
const looksPerStep = 1 + microBatches;

/** 48 rows one by one: six steps, and no evaluation before the end. */
const accumulating = (name: string, change: (config: RunConfig) => void = () => {}) =>
  place.configFor(name, (config) => {
    Object.assign(config.training, { batchSize: 1, gradientAccumulationSteps: microBatches, epochs: 1 });
    config.evaluation.everySteps = 1000;
    config.checkpoints.everySteps = 1000;
    change(config);
  });

let pods = 0;

/** An attempt that is asked to stop when training looks at the flag for the `looks + 1`-th time. */
async function attempt(config: RunConfig, looks: number): Promise<Outcome> {
  const workDirectory = join(place.directory, `attempt-${++pods}`);
  mkdirSync(workDirectory);
  let training = false;
  let looked = 0;
  return train({
    config,
    workDirectory,
    tensorflowDirectory: await tensorflowDirectory(),
    log: logTo(() => {}),
    report({ phase }) {
      if (phase !== undefined) training = phase === 'Training';
    },
    timings: () => ({}),
    stopRequested: () => training && looked++ >= looks,
  });
}

function interruptedAt(outcome: Outcome, step: number): OutcomeOf<'Interrupted'> {
  assert.equal(outcome.outcome, 'Interrupted', JSON.stringify(outcome));
  const interrupted = outcome as OutcomeOf<'Interrupted'>;
  assert.equal(interrupted.step, step);
  assert.equal(interrupted.checkpoints[0]?.step, step === 0 ? undefined : step);
  return interrupted;
}

function assertSameRun(name: string, want: string): void {
  const [got, whole] = [place.reportOf(name), place.reportOf(want)];
  assert.equal(whole.stepLosses.length, 6);
  assert.deepEqual(got.stepLosses, whole.stepLosses);
  assert.deepEqual(got.learningRates, whole.learningRates);
  assert.deepEqual(got.validation, whole.validation);
  assert.deepEqual(got.final, whole.final);
}

const digestOf = (outcome: Outcome) => (outcome as OutcomeOf<'Succeeded'>).model.digest;

test('a stop between two micro-batches gives up the step and saves the one before it', async () => {
  const want = await attempt(accumulating('whole'), Number.POSITIVE_INFINITY);
  const config = accumulating('stopped');
  const rows = 3;
  const { trainedTokens } = interruptedAt(await attempt(config, 4 * looksPerStep + 1 + rows), 4);
  const { trainedTokens: more } = interruptedAt(await attempt(config, looksPerStep - 1), 4);
  assert.equal(more, trainedTokens, 'a step that was given up counts no tokens');
  const got = await attempt(config, Number.POSITIVE_INFINITY);
  assertSameRun('stopped', 'whole');
  assert.equal(digestOf(got), digestOf(want));
});

test('in the middle of the first step there is nothing to save', async () => {
  interruptedAt(await attempt(accumulating('first'), 5), 0);
});

test('with masked tokens and a moving average, a run that is stopped over and over comes to the very same numbers', async () => {
  const masked = (name: string) =>
    accumulating(name, (config) => {
      config.task = 'MaskedLM';
      config.dataset.columns = { text: 'text' };
      config.training.masking = { probability: 0.3, wholeWord: true };
      config.training.optimizer = { name: 'Adafactor' };
      config.training.ema = { decay: 0.9 };
    });
  const want = await attempt(masked('steady'), Number.POSITIVE_INFINITY);
  const often = masked('often');
  interruptedAt(await attempt(often, 2 * looksPerStep + 5), 2);
  interruptedAt(await attempt(often, 3 * looksPerStep + 2), 5);
  const got = await attempt(often, Number.POSITIVE_INFINITY);
  assertSameRun('often', 'steady');
  assert.equal(digestOf(got), digestOf(want));
});
