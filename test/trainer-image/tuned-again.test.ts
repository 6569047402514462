/** A published classifier as the base model of the next run: its labels keep the order that its weights know. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ResultOf, RunConfig } from '../../crds/trainer-contract.ts';
import { editConfig } from './model/fixtures.ts';
import { succeeded, Workplace } from './trainer-process.ts';

let place: Workplace;
let accuracy: number;
before(async () => {
  place = await Workplace.create();
  const first = await place.run(
    place.configFor('first', (config) => {
      config.dataset.labels = ['spam', 'ham'];
    }),
  );
  accuracy = succeeded(first).evaluation.final.accuracy as number;
  assert.ok(accuracy >= 0.9, `${accuracy}`);
  rmSync(join(place.directory, 'model'), { recursive: true });
  cpSync(place.outputOf('first', 'model'), join(place.directory, 'model'), { recursive: true });
});
after(() => place.remove());

async function warnings(change: (config: RunConfig) => void = () => {}): Promise<string> {
  const { result, log } = await place.run(place.configFor('check', change), 'preflight');
  assert.equal(result.outcome, 'Validated', log);
  return (result as ResultOf<'Validated'>).preflight.warnings.join('\n');
}

test('the tuned model is as good as it was, and its labels keep their ids', async () => {
  const { baseline } = succeeded(await place.run(place.configFor('second'))).evaluation;
  assert.equal(baseline?.accuracy, accuracy);
  const config = JSON.parse(readFileSync(place.outputOf('second', 'model', 'config.json'), 'utf8'));
  assert.deepEqual(config.id2label, { 0: 'spam', 1: 'ham' });
  assert.doesNotMatch(place.reportOf('second').data.warnings.join('\n'), /classifier/);
});

test('labels that the classifier does not have, or has in another order, are warned of', async () => {
  assert.doesNotMatch(await warnings(), /classifier/);
  const other =
    /The classifier of the model knows other labels, or another order of them: "spam", "ham"\..*dataset\.labels/;
  const reversed = (config: RunConfig) => {
    config.dataset.labels = ['ham', 'spam'];
  };
  assert.match(await warnings(reversed), other);
  succeeded(await place.run(place.configFor('reversed', reversed)));
  assert.match(place.reportOf('reversed').data.warnings.join('\n'), other);
  // The names that transformers makes up say nothing.
  editConfig(join(place.directory, 'model'), { id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } });
  assert.doesNotMatch(await warnings(), /classifier/);
});
