/** Readers with defects, for the proof that they are found. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './target.ts';

const planted = (name: string, defect: () => void | Promise<void>): Target => {
  let index = 0;
  return {
    name,
    refusedShare: [0, 1],
    async attempt() {
      if (index++ === 3) await defect();
      return index % 2 === 0;
    },
  };
};

export const targets: readonly Target[] = [
  planted('sound', () => {}),
  planted('crash', () => {
    throw new RangeError('planted');
  }),
  planted('endless loop', () => {
    for (;;);
  }),
  planted('endless wait', () => sleep(2 ** 30)),
  planted('memory without end', () => {
    for (let kept = {}; ; ) kept = { kept };
  }),
];
