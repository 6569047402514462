/** The trainer's Prometheus series: names and meaning are defined in this one table, the reference in docs/ is made from it. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Progress, trainerPhases } from '../crds/trainer-contract.ts';
import type { ProgressUpdate } from './messages.ts';

export const commonLabels = ['namespace', 'job', 'run'] as const;

export const trainerSeries = {
  finetune_trainer_loss: { type: 'gauge', help: 'Training loss, mean of the last ten steps.' },
  finetune_trainer_eval_loss: { type: 'gauge', help: 'Loss on the validation split.' },
  finetune_trainer_step: { type: 'gauge', help: 'Optimiser steps done.' },
  finetune_trainer_total_steps: { type: 'gauge', help: 'Optimiser steps planned.' },
  finetune_trainer_epoch: { type: 'gauge', help: 'Passes over the training rows done, with fraction.' },
  finetune_trainer_learning_rate: { type: 'gauge', help: 'Learning rate of the last step.' },
  finetune_trainer_gradient_norm: {
    type: 'gauge',
    help: 'Global norm of the gradients of the last step, before clipping.',
  },
  finetune_trainer_tokens_total: {
    type: 'counter',
    help: 'Tokens trained over all attempts, padding not counted.',
  },
  finetune_trainer_tokens_per_second: { type: 'gauge', help: 'Tokens trained per second, lately.' },
  finetune_trainer_phase: {
    type: 'gauge',
    help: '1 for the phase the trainer is in, else 0.',
    label: 'phase',
  },
  finetune_trainer_info: {
    type: 'gauge',
    help: 'Always 1; the label says what TensorFlow runs on.',
    label: 'device',
  },
} as const satisfies Record<string, { type: 'gauge' | 'counter'; help: string; label?: string }>;

type SeriesName = keyof typeof trainerSeries;

/** Gauges that copy one number of the progress. */
const copied = {
  finetune_trainer_loss: 'trainLoss',
  finetune_trainer_eval_loss: 'evalLoss',
  finetune_trainer_step: 'step',
  finetune_trainer_total_steps: 'totalSteps',
  finetune_trainer_epoch: 'epoch',
  finetune_trainer_learning_rate: 'learningRate',
  finetune_trainer_gradient_norm: 'gradientNorm',
  finetune_trainer_tokens_per_second: 'tokensPerSecond',
} as const satisfies Partial<Record<SeriesName, keyof ProgressUpdate>>;

export type TrainerMetrics = {
  update(change: ProgressUpdate): void;
  /** The exposition text and its content type. */
  render(): Promise<{ contentType: string; body: string }>;
};

/** A registry of its own with the trainer's series, labelled with the run, and the usual process metrics. */
export function createTrainerMetrics(run: Record<(typeof commonLabels)[number], string>): TrainerMetrics {
  const registry = new Registry();
  registry.setDefaultLabels(run);
  collectDefaultMetrics({ register: registry });
  const gauges = new Map<SeriesName, Gauge>();
  for (const [name, series] of Object.entries(trainerSeries) as [
    SeriesName,
    { help: string; label?: string },
  ][]) {
    if (name === 'finetune_trainer_tokens_total') continue;
    const { help, label } = series;
    const labelNames = label === undefined ? [] : [label];
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    // prom-client starts a gauge without labels at 0, which would be the best of all losses.
    if (label === undefined) gauge.remove();
    gauges.set(name, gauge);
  }
  const { help } = trainerSeries.finetune_trainer_tokens_total;
  const tokens = new Counter({ name: 'finetune_trainer_tokens_total', help, registers: [registry] });
  let counted = 0;
  return {
    update(change) {
      for (const [name, field] of Object.entries(copied) as [SeriesName, keyof typeof change][]) {
        const value = change[field];
        if (typeof value === 'number') gauges.get(name)?.set(value);
      }
      if (change.trainedTokens !== undefined && change.trainedTokens > counted) {
        tokens.inc(change.trainedTokens - counted);
        counted = change.trainedTokens;
      }
      if (change.phase !== undefined) setPhase(gauges.get('finetune_trainer_phase'), change.phase);
      if (change.device !== undefined) gauges.get('finetune_trainer_info')?.set({ device: change.device }, 1);
    },
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

function setPhase(gauge: Gauge | undefined, current: Progress['phase']): void {
  for (const phase of trainerPhases) gauge?.set({ phase }, phase === current ? 1 : 0);
}
