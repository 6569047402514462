import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { UpdateOptions } from '../../../trainer-image/optim/update.ts';
import { nativeBinding } from '../graph/native.ts';
import { openSmall } from './fixtures.ts';
import type { PeakMemory } from './peak-memory-process.ts';
import { trainSpan } from './resume-process.ts';

const binding = await nativeBinding();

/** Losses and norms of six steps with dropout: other masks in the second computation would show at once. */
async function assertSameSteps(update: Partial<UpdateOptions>): Promise<void> {
  const steps = async (gradientCheckpointing: boolean): Promise<number[]> => {
    const options = { dropout: 0.2, seed: 3, update: { ...update, gradientCheckpointing } };
    const model = await openSmall(binding, options);
    const lines = trainSpan(model, 0, 6, update.gradientAccumulationSteps);
    assert.equal(model.tensorCount(), 0);
    model.close();
    return lines.flatMap((line) => line.split(' ').map(Number));
  };
  const [got, want] = [await steps(true), await steps(false)];
  for (const [index, value] of want.entries()) {
    const difference = Math.abs((got[index] as number) - value);
    assert.ok(difference <= 2e-6 * value, `${index}: got ${got[index]}, want ${value}`);
  }
}

test('gradient checkpointing changes losses and gradient norms by rounding alone', () => assertSameSteps({}));

test('gradient checkpointing goes together with frozen layers and accumulation', () =>
  assertSameSteps({ gradientAccumulationSteps: 2, freeze: ['bert.embeddings', 'bert.encoder.layer.1'] }));

test('gradient checkpointing takes less than half the memory of a step', () => {
  const measure = (checkpointing: boolean): PeakMemory => {
    const script = join(import.meta.dirname, 'peak-memory-process.ts');
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
    const args = [script, JSON.stringify({ gradientCheckpointing: checkpointing })];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio })) as PeakMemory;
  };
  const [without, withIt] = [measure(false), measure(true)];
  assert.ok(Math.abs((withIt.losses[2] as number) - (without.losses[2] as number)) < 1e-5);
  const megabytes = ({ bytes }: PeakMemory): number => Math.round(bytes / 1e6);
  const text = `${megabytes(withIt)} MB with, ${megabytes(without)} MB without`;
  assert.ok(withIt.bytes < 0.5 * without.bytes, text);
});
