import type { TrainerPhase } from '../../crds/trainer-contract.ts';

export type PhaseClock = { enter(phase: TrainerPhase): void; seconds(): Record<string, number> };

/** Measures how long each phase takes; the last one runs until it is asked. */
export function createPhaseClock(now: () => number = () => performance.now()): PhaseClock {
  const totals = new Map<string, number>();
  let current: TrainerPhase = 'Starting';
  let since = now();
  const settle = (): void => {
    const time = now();
    totals.set(current, (totals.get(current) ?? 0) + (time - since) / 1000);
    since = time;
  };
  return {
    enter(phase) {
      settle();
      current = phase;
    },
    seconds() {
      settle();
      return Object.fromEntries([...totals].map(([phase, seconds]) => [phase, Number(seconds.toFixed(2))]));
    },
  };
}
