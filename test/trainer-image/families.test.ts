/** Checkpoints of every family through preflight, and one that is not BERT through a whole run. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TrainerError } from '../../trainer-image/failure.ts';
import { readArchitecture } from '../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../trainer-image/model/checkpoint-files.ts';
import { writeSafetensors } from '../../trainer-image/model/safetensors-writer.ts';
import { preflight } from '../../trainer-image/preflight.ts';
import { tinyTokenizer, vocabulary } from './data/tiny-model.ts';
import { goldenDirectory } from './model/fixtures.ts';
import { Workplace } from './trainer-process.ts';

const golden = join(goldenDirectory, 'architectures');
const families = readdirSync(golden, { withFileTypes: true }).filter((entry) => entry.isDirectory());
let place: Workplace;
before(async () => {
  place = await Workplace.create();
});
after(() => place.remove());

/** Puts the bare model of a family, with a tokenizer whose padding token has the id that the model wants. */
function placeModel(family: string): { modelType: string; parameters: number } {
  const target = join(place.directory, 'model');
  rmSync(target, { recursive: true });
  cpSync(join(golden, family, 'config.json'), join(target, 'config.json'));
  const options = { task: 'SequenceClassification', labels: 2 } as const;
  const { architecture } = readArchitecture(target, options);
  const files = openWeightFiles(join(golden, family));
  const bare = [...files.entries]
    .filter(([name]) => name.startsWith(architecture.prefix))
    .map(([name, { shape }]) => ({ name, shape, data: files.read(name) }));
  writeSafetensors(join(target, 'model.safetensors'), bare);
  files.close();
  const tokens = vocabulary.toSpliced(0, 1).toSpliced(architecture.padTokenId ?? 0, 0, '[PAD]');
  writeFileSync(join(target, 'tokenizer.json'), JSON.stringify(tinyTokenizer(tokens)));
  writeFileSync(join(target, 'tokenizer_config.json'), '{"pad_token": "[PAD]", "unk_token": "[UNK]"}');
  return {
    modelType: architecture.modelType,
    parameters: bare.reduce((sum, { data }) => sum + data.length, 0),
  };
}

const check = (maxLength: number) =>
  preflight(
    place.config((config) => {
      config.training.maxLength = maxLength;
    }),
    mkdtempSync(join(place.directory, 'work-')),
    () => {},
  );

for (const { name: family } of families) {
  test(`${family} passes preflight, which counts its weights`, async () => {
    const want = placeModel(family);
    const { modelType, parameters } = await check(16);
    assert.deepEqual({ modelType, parameters }, want);
  });
}

test('preflight knows that RoBERTa has fewer positions than its table', async () => {
  placeModel('roberta');
  assert.equal((await check(38)).modelType, 'roberta');
  await assert.rejects(check(39), (error) => {
    assert.ok(error instanceof TrainerError);
    assert.equal(error.category, 'ConfigError');
    assert.match(error.message, /the model has only 38 positions/);
    return true;
  });
});

test('a run tunes RoBERTa and publishes it under its own class', async () => {
  placeModel('roberta');
  const output = place.newOutput('roberta');
  const { exitCode, result, log } = await place.run(
    place.config((config) => {
      config.output = { kind: 'volume', uri: 'pvc://out/roberta', directory: output };
      config.training.epochs = 1;
    }),
  );
  assert.equal(exitCode, 0, log);
  assert.equal(result.outcome, 'Succeeded', log);
  const config = JSON.parse(readFileSync(join(output, 'model', 'config.json'), 'utf8'));
  assert.deepEqual(config.architectures, ['RobertaForSequenceClassification']);
  assert.equal(config.model_type, 'roberta');
});
