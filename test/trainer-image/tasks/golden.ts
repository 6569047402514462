/** Reads test/golden/tasks.json. */
import { readFileSync } from 'node:fs';
import type { Golden } from '../model/fixtures.ts';

type Padded = {
  rows: number;
  length: number;
  inputIds: number[];
  attentionMask: number[];
  /** [rows * length] (-100 = none), [rows][labels] or [rows]. */
  labels: (number | number[])[];
};
type Steps = { batches: Padded[]; steps: { loss: number; gradientNorm: number; learningRate: number }[] };

export type TasksGolden = {
  settings: Golden['settings'];
  tokenClassification: Steps;
  maskedLM: Steps;
  multiLabel: Steps;
  regression: Steps;
  balanced: Steps;
  focal: Steps;
  wordLabels: {
    tags: string[];
    maxLength: number;
    rows: { words: string[]; tagIds: number[]; inputIds: number[]; labels: number[] }[];
  };
};

export const tasksGolden = JSON.parse(
  readFileSync(new URL('../../golden/tasks.json', import.meta.url), 'utf8'),
) as TasksGolden;
