/** Runs whose loss is no finite number: whose fault it is decides what a user has to do. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ended, Workplace } from './trainer-process.ts';

let place: Workplace;
before(async () => {
  place = await Workplace.create();
});
after(() => place.remove());

function failed({ exitCode, result, log }: Ended, category: string, code: number, message: RegExp): void {
  assert.equal(exitCode, code, log);
  assert.ok(result.outcome === 'Failed' && result.hint !== '', log);
  assert.equal(result.category, category);
  assert.match(result.message, message);
}

test('a loss that is no number ends the run, names step and rate, and keeps the checkpoint before it', async () => {
  const ended = await place.run(
    place.configFor('nan', (config) => {
      config.training.learningRate = 1e30;
      config.training.warmup = 0.5;
      config.training.maxGradNorm = 0;
      config.checkpoints.everySteps = 1;
    }),
  );
  failed(
    ended,
    'NonFiniteLoss',
    16,
    /became (NaN|Infinity) in step \d+ at learning rate .*checkpoint of step \d+/,
  );
});

test('weights that are no numbers are the fault of the base model, with and without its evaluation', async () => {
  const file = join(place.directory, 'model', 'model.safetensors');
  const whole = readFileSync(file);
  const broken = Buffer.from(whole);
  broken.writeFloatLE(Number.NaN, broken.length - 4);
  writeFileSync(file, broken);
  try {
    for (const baseline of [true, false]) {
      const ended = await place.run(
        place.configFor(`broken-${baseline}`, (config) => {
          config.evaluation.baseline = baseline;
        }),
      );
      failed(ended, 'ModelError', 12, /^The loss of the base model is NaN before anything was trained\.$/);
    }
  } finally {
    writeFileSync(file, whole);
  }
});

test('a last step that ruins the model ends the run, also without a validation split', async () => {
  const ended = await place.run(
    place.configFor('ruined', (config) => {
      config.dataset.splits.validation = undefined;
      config.training.epochs = 0.01;
      config.training.warmup = 0;
      config.training.learningRate = 1e38;
    }),
  );
  failed(ended, 'NonFiniteLoss', 16, /^The evaluation loss became (NaN|Infinity) in step 1\./);
});
