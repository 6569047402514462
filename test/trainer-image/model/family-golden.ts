/** What test/golden/architectures.py has written down of each family. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '../../../trainer-image/model/model.ts';
import { type Golden, goldenBatch, goldenDirectory } from './fixtures.ts';
import type { TaskBatch } from './task-graph.ts';

export const folder = join(goldenDirectory, 'architectures');
export const families = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
export const labels = ['a', 'b', 'c'];

export type TaskGolden = {
  class: string;
  /** By batch; of MaskedLM at the positions alone, of TokenClassification 0 for padding. */
  logits: number[][];
  /** Of the first batch. */
  loss: number;
  /** Norm, and sum of the products with cos(index). */
  gradients: Record<string, [number, number]>;
  steps: Golden['steps'];
};

export type FamilyGolden = Pick<Golden, 'settings'> & {
  batches: TaskBatch[];
  tasks: Record<Task, TaskGolden>;
};

export function familyGolden(family: string): FamilyGolden {
  const json = JSON.parse(readFileSync(join(folder, `${family}.json`), 'utf8'));
  const batches = json.batches.map((batch: Record<keyof TaskBatch, never>) => ({
    ...goldenBatch(batch),
    tokenLabels: Int32Array.from(batch.tokenLabels),
    positions: Int32Array.from(batch.positions),
    targets: Int32Array.from(batch.targets),
  }));
  return { ...json, batches };
}
