import { createHash } from 'node:crypto';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import type { Plateau } from '../optim/plateau.ts';
import type { ValidationPoint } from '../report/report.ts';
import type { Evaluated, Task } from '../tasks/task.ts';
import type { BestSoFar } from './early-stopping.ts';
import type { StepRecord } from './history.ts';

/** What the base model did on the test split; enough to score it and to compare it row by row. */
export type Baseline = { loss: number; figures: Record<string, number[]> };

/** All that a run knows besides weights and optimiser: the JSON part of every checkpoint. */
export type RunState = {
  /** Optimiser steps done. Epoch and place in the epoch follow from it, because the order of rows is seeded. */
  step: number;
  /** steps[i] is step i + 1. */
  steps: StepRecord[];
  validation: ValidationPoint[];
  best: BestSoFar;
  /** After the first evaluation of a run with the schedule ReduceLROnPlateau. */
  plateau?: Plateau | undefined;
  baseline?: Baseline;
  /** Over all attempts. */
  trainSeconds: number;
  trainedTokens: number;
};

/** The part of an evaluation by which models are compared, as JSON holds it. */
export function comparedFigures({ loss, figures }: Evaluated, { compared }: Task): Baseline {
  const kept = compared.map((name) => [name, Array.from(figures[name] ?? [])]);
  return { loss, figures: Object.fromEntries(kept) as Baseline['figures'] };
}

export function newState(): RunState {
  return {
    step: 0,
    steps: [],
    validation: [],
    best: { badEvaluations: 0 },
    trainSeconds: 0,
    trainedTokens: 0,
  };
}

/**
 * Identifies everything that the course of a run depends on: the job, its settings and the content of its inputs.
 * A checkpoint with another hash belongs to another run and is never resumed from.
 */
export function configHash(config: RunConfig, inputDigests: readonly string[]): string {
  const { job, task, problemType, dataset, training, evaluation } = config;
  const { source: _, ...data } = dataset;
  // The course follows the rows of a whole step, however they are computed: a run that met the end of memory goes on with
  // smaller micro-batches or with gradient checkpointing.
  const { batchSize, gradientAccumulationSteps, gradientCheckpointing: _how, ...rest } = training;
  const course = { ...rest, rowsPerStep: batchSize * gradientAccumulationSteps };
  const parts = {
    uid: job.uid,
    runId: job.runId,
    startTime: job.startTime,
    task,
    problemType,
    data,
    training: course,
    evaluation,
    inputDigests,
  };
  return `sha256:${createHash('sha256')
    .update(JSON.stringify(sorted(parts)))
    .digest('hex')}`;
}

/** The same value with the keys of its objects in order, so that equal configs give equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
