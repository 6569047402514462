/** Reads test/golden/tasks.json. */
import { readFileSync } from 'node:fs';

type Padded = {
  rows: number;
  length: number;
  inputIds: number[];
  attentionMask: number[];
  /** [rows * length], -100 = none. */
  labels: number[];
};
type Steps = { batches: Padded[]; steps: { loss: number; gradientNorm: number; learningRate: number }[] };

export type TasksGolden = {
  settings: {
    learningRate: number;
    warmupSteps: number;
    totalSteps: number;
    weightDecay: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    maxGradNorm: number;
  };
  tokenClassification: Steps;
  maskedLM: Steps;
  wordLabels: {
    tags: string[];
    maxLength: number;
    rows: { words: string[]; tagIds: number[]; inputIds: number[]; labels: number[] }[];
  };
};

export const tasksGolden = JSON.parse(
  readFileSync(new URL('../../golden/tasks.json', import.meta.url), 'utf8'),
) as TasksGolden;
