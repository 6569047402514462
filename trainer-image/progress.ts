import { maxProgressBytes, type Progress } from '../crds/trainer-contract.ts';
import type { ProgressUpdate, Speaker } from './messages.ts';

export type ProgressBoard = {
  update(change: ProgressUpdate): void;
  current(): Progress;
  /** The answer of GET /progress, within the size that the contract allows. */
  json(): string;
};

/** Keeps the latest progress of the run, which the worker sends piece by piece. */
export function createProgressBoard(speaker: Speaker): ProgressBoard {
  let progress: Progress = {
    ...speaker,
    phase: 'Starting',
    step: 0,
    totalSteps: 0,
    epoch: 0,
    trainSeconds: 0,
    trainedTokens: 0,
    history: [],
    checkpoints: [],
  };
  return {
    update({ gradientNorm: _, ...change }) {
      progress = { ...progress, ...change };
    },
    current: () => progress,
    json() {
      const text = JSON.stringify(progress);
      if (Buffer.byteLength(text) <= maxProgressBytes) return text;
      return JSON.stringify({ ...progress, checkpoints: progress.checkpoints.slice(0, 2) });
    },
  };
}
