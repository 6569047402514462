/** A checkpoint in the middle changes nothing, whichever way the model trains. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { adafactor } from '../../../trainer-image/optim/adafactor.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import { sgd } from '../../../trainer-image/optim/sgd.ts';
import type { UpdateOptions } from '../../../trainer-image/optim/update.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, openSmall } from '../model/fixtures.ts';
import { loadAll, saveAll, trainSpan } from '../model/resume-process.ts';

const binding = await nativeBinding();
const directory = mkdtempSync(join(tmpdir(), 'resume-'));
after(() => rmSync(directory, { recursive: true }));
const weightDecay = 0.01;
const momentum = 0.9;

const everything: Partial<UpdateOptions> = {
  rDropAlpha: 1,
  gradientCheckpointing: true,
  optimizer: adafactor({ weightDecay }),
  gradientAccumulationSteps: 2,
  labelSmoothing: 0.1,
  freeze: ['bert.embeddings'],
  layerwiseLearningRateDecay: 0.7,
};
const modes: Record<string, Partial<UpdateOptions>> = {
  'SGD without momentum': { optimizer: sgd({ momentum: 0, weightDecay }) },
  'SGD with momentum': { optimizer: sgd({ momentum, weightDecay }) },
  Adafactor: { optimizer: adafactor({ weightDecay }) },
  'gradient accumulation': { gradientAccumulationSteps: 2 },
  'label smoothing': { labelSmoothing: 0.1 },
  'frozen parts': { freeze: ['bert.embeddings', 'bert.encoder.layer.1'] },
  'layer-wise decay': { layerwiseLearningRateDecay: 0.7 },
  'gradient checkpointing': { gradientCheckpointing: true },
  'R-Drop': { rDropAlpha: 1 },
  bfloat16: { bf16: true },
  everything,
  'everything in bfloat16, with a moving average': { ...everything, bf16: true, ema: { decay: 0.9 } },
};
for (const [name, update] of Object.entries(modes)) {
  test(`${name}: steps after a checkpoint equal the ones without it, to the last bit`, async () => {
    const open = () => openSmall(binding, { dropout: 0.2, seed: 3, update });
    const perStep = update.gradientAccumulationSteps ?? 1;
    const whole = await open();
    const want = trainSpan(whole, 0, 8, perStep);
    const wantedState = saveAll(whole, join(directory, 'whole'));
    whole.close();
    const middle = join(directory, 'middle');
    const first = await open();
    const steps = trainSpan(first, 0, 3, perStep);
    saveAll(first, middle);
    first.close();
    const second = await open();
    trainSpan(second, 0, 1, perStep); // what it remembers from here must not stay
    loadAll(second, middle);
    assert.deepEqual([...steps, ...trainSpan(second, 3, 8, perStep)], want);
    assert.equal(saveAll(second, join(directory, 'end')), wantedState);
    assert.equal(second.tensorCount(), 0);
    second.close();
  });
}

test('a step that is given up between micro-batches leaves state and later steps as they would have been', async () => {
  const perStep = 3;
  const update = { ...everything, gradientAccumulationSteps: perStep, ema: { decay: 0.9 } };
  const model = await openSmall(binding, { dropout: 0.2, seed: 3, update });
  const [before, after] = [join(directory, 'before'), join(directory, 'given-up')];
  trainSpan(model, 0, 2, perStep);
  const state = saveAll(model, before);
  const want = trainSpan(model, 2, 4, perStep);
  for (let given = 0; given < perStep; given++) {
    loadAll(model, before);
    let begun = 0;
    const stop = () => {
      if (begun++ === given) throw new Error('stop');
    };
    const batches = golden('bert-small').batches.slice(0, perStep);
    assert.throws(() => model.trainStep(batches, { step: 2, learningRate: 1e-3 }, stop), /^Error: stop$/);
    assert.equal(saveAll(model, after), state, `given up after ${given} micro-batches`);
    assert.equal(model.tensorCount(), 0);
    assert.deepEqual(trainSpan(model, 2, 4, perStep), want);
  }
  model.close();
});

test('each optimiser saves its state under the names of PyTorch', async () => {
  const namesOf = async (update: Partial<UpdateOptions>): Promise<string[]> => {
    const model = await openSmall(binding, { update });
    const names = [...model.optimizerState()].map(({ name, shape }) => `${name} [${shape.join()}]`);
    model.close();
    return names.filter((name) => name.startsWith('classifier.'));
  };
  const both = (name: string): string[] => [
    `classifier.weight.${name} [3,32]`,
    `classifier.bias.${name} [3]`,
  ];
  const { settings } = golden('bert-small');
  const ofAdamW = await namesOf({ optimizer: adamW(settings) });
  assert.deepEqual(ofAdamW.sort(), [...both('exp_avg'), ...both('exp_avg_sq')].sort());
  assert.deepEqual(await namesOf({ optimizer: sgd({ momentum, weightDecay }) }), both('momentum_buffer'));
  assert.deepEqual(await namesOf({ optimizer: sgd({ momentum: 0, weightDecay }) }), []);
  assert.deepEqual(await namesOf({ optimizer: adafactor({ weightDecay }) }), [
    'classifier.weight.exp_avg_sq_row [3]',
    'classifier.weight.exp_avg_sq_col [32]',
    'classifier.bias.exp_avg_sq [3]',
  ]);
});

test('the state of another optimiser is refused', async () => {
  const file = join(directory, 'adamw');
  const trained = await openSmall(binding);
  saveAll(trained, file);
  trained.close();
  const other = await openSmall(binding, { update: { optimizer: sgd({ momentum, weightDecay }) } });
  assert.throws(() => loadAll(other, file), /unknown tensor '.*\.exp_avg'/);
  other.close();
});
