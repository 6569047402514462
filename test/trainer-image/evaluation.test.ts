/** The trainer as a process: what it finds out about the tuned model, and what it decides from that. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ResultOf } from '../../crds/trainer-contract.ts';
import { succeeded, Workplace } from './trainer-process.ts';

let place: Workplace;
before(async () => {
  place = await Workplace.create();
});
after(() => place.remove());

test('slices are in report and result, and the gate can ask for the worst one and the gap', async () => {
  place.writeRows('sliced.jsonl', 120, (row) => (row % 9 === 0 ? 'spam' : row % 2 === 0 ? 'ham' : 'spam'));
  const ended = await place.run(
    place.configFor('sliced', (config) => {
      config.dataset.splits.test = 'sliced.jsonl';
      config.dataset.slices = ['language'];
      config.gate = { metric: 'accuracy', minimum: 0.8, slices: { minimum: 0.9, maximumGap: 0.05 } };
    }),
  );
  assert.equal(ended.exitCode, 0, ended.log);
  const result = ended.result as ResultOf<'Rejected'>;
  // Of the 40 rows in "de" 7 have a label that their words do not say.
  assert.match(
    result.message,
    /^accuracy of "language" "de" is 0\.8250, below the minimum of 0\.9; the gap of .* is 0\.1750, above/,
  );
  const { slices } = place.reportOf('sliced');
  assert.deepEqual(
    slices[0]?.slices.map(({ slice, rows }) => [slice, rows]),
    [
      ['de', 40],
      ['en', 80],
    ],
  );
  const { column, worst, gap, growth } = slices[0]!;
  assert.deepEqual(result.evaluation.slices, [{ column, worst, gap, growth }]);
  assert.match(
    readFileSync(place.outputOf('sliced', 'report', 'report.html'), 'utf8'),
    /Accuracy by language/,
  );
});

test('early stopping ends the run after its patience, with the best weights', async () => {
  const ended = await place.run(
    place.configFor('early', (config) => {
      config.training.epochs = 10;
      config.training.schedule = { name: 'ConstantWithWarmup' };
      config.training.earlyStopping = { metric: 'accuracy', patience: 2, minDelta: 0 };
    }),
  );
  const result = succeeded(ended);
  const { training, validation } = place.reportOf('early');
  assert.ok(result.step < result.totalSteps, `${result.step} of ${result.totalSteps}`);
  assert.equal(training.stoppedEarly, true);
  const { stoppedEarly, bestStep } = result.evaluation.overfitting!;
  assert.deepEqual([stoppedEarly, bestStep], [true, training.best?.step]);
  assert.equal(training.best?.metric, 'accuracy');
  assert.equal(validation.at(-1)?.step, training.best!.step + 10);
});

test('without validation and baseline the run still ends well', async () => {
  const result = succeeded(
    await place.run(
      place.configFor('plain', (config) => {
        delete config.dataset.splits.validation;
        config.evaluation = { baseline: false };
      }),
    ),
  );
  assert.equal(result.evaluation.baseline, undefined);
  assert.equal(result.evaluation.gain, undefined);
  assert.equal(result.evaluation.overfitting, undefined);
  assert.ok(result.evaluation.final.accuracy! >= 0.9);
});
