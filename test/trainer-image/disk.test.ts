import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { test } from 'node:test';
import { ArrayWriter } from '../../trainer-image/data/stored-array.ts';
import { refuseSmallVolume, trainingDiskBytes } from '../../trainer-image/disk.ts';
import { outcomeOfError } from '../../trainer-image/failure-outcome.ts';

const full = {
  category: 'ConfigError',
  message: 'The work volume is full: cannot write /dev/full (ENOSPC).',
};

test('encoded rows that do not fit say so', () => {
  const writer = new ArrayWriter('/dev/full', Int32Array);
  writer.append([1]);
  assert.throws(() => writer.finish(), {
    ...full,
    hint: /diskEstimateBytes.*workVolume of the FineTuneRuntime/,
  });
});

test('a full disk has its category wherever it is met', () => {
  let met: unknown;
  try {
    appendFileSync('/dev/full', 'x');
  } catch (error) {
    met = error;
  }
  const { category, message, step } = outcomeOfError(met, 3);
  assert.deepEqual([category, step], ['ConfigError', 3]);
  assert.match(message, /^The work volume is full: cannot write .*[(]ENOSPC[)][.]$/);
  assert.equal(outcomeOfError(new Error('x')).category, 'Internal');
});

test('a run needs its inputs, the best weights twice, and a checkpoint', () => {
  const inputs = { model: 1000, dataset: 200, encoded: 30 };
  assert.equal(trainingDiskBytes(inputs, { weights: 10, trainedNumbers: 40 }), 1230 + 4 * (10 + 10 + 50));
  refuseSmallVolume(5e9, 5e9);
  assert.throws(() => refuseSmallVolume(5.25e9, 5e9), {
    category: 'ConfigError',
    message: /^The run needs 5.3 GB on the work volume .*, which has 5.0 GB[.]$/,
  });
});
