/** Users who make jobs all the time and change their minds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { job as smallestJob } from '../../test/crds/objects.ts';
import { collections, type DirectApi, pathOf, Refusal } from '../../test/faults/direct-api.ts';
import { namespace } from '../../test/operator/api.ts';
import type { Random } from '../../trainer-image/data/random.ts';
import { failing } from '../operator/stages.ts';
import type { Book, Expectation } from './book.ts';

type Hand = {
  /** A moment in the life of a job, drawn before it began. */
  moment: () => Promise<unknown>;
  change: (spec: object) => Promise<void>;
  remove: () => Promise<void>;
  /** Resolves when a run has ended. */
  ended: () => Promise<void>;
};

type Fate = Expectation & {
  /** Of so many jobs as all shares together. */
  share: number;
  script?: (hand: Hand) => Promise<void>;
};

const ttlSeconds = 15;

/** What happens to a job, by the first part of its name. */
const fates: Record<string, Fate> = {
  'pass-': { share: 4, ends: ['Succeeded'], runs: 1 },
  [failing]: { share: 2, ends: ['Failed'], runs: 1 },
  'cancel-': {
    share: 2,
    // It may come too late.
    ends: ['Cancelled', 'Succeeded'],
    runs: 1,
    script: async ({ moment, change }) => {
      await moment();
      await change({ cancel: true });
    },
  },
  'suspend-': {
    share: 3,
    ends: ['Succeeded'],
    runs: 1,
    script: async ({ moment, change }) => {
      await moment();
      await change({ suspend: true });
      await moment();
      await change({ suspend: false });
    },
  },
  'delete-': {
    share: 3,
    ends: [],
    runs: 0,
    script: async ({ moment, remove }) => {
      await moment();
      await remove();
    },
  },
  'again-': {
    share: 1,
    ends: ['Succeeded'],
    runs: 2,
    script: async ({ ended, change }) => {
      await ended();
      await change({ runId: '2' });
    },
  },
};

type Options = {
  api: DirectApi;
  book: Book;
  random: Random;
  perSecond: number;
  /** About the longest time from the creation of a job to its end. */
  lifeMs: number;
};

/** Makes jobs until the signal fires; resolves when all that was meant for them is done. */
export async function churn(options: Options, signal: AbortSignal): Promise<void> {
  const { random, perSecond } = options;
  const kinds = Object.keys(fates).flatMap((kind) => Array<string>(fates[kind]!.share).fill(kind));
  const scripts: Promise<void>[] = [];
  const started = performance.now();
  for (let i = 0; !signal.aborted; i++) {
    const kind = kinds[random.below(kinds.length)]!;
    const name = `${kind}${String(i + 1).padStart(5, '0')}`;
    const complain = (error: unknown) => void options.book.problems.push(`${name}: ${error}`);
    scripts.push(play(name, fates[kind]!, options).catch(complain));
    await sleep(Math.max(0, started + ((i + 1) * 1000) / perSecond - performance.now()));
  }
  await Promise.all(scripts);
}

async function play(name: string, fate: Fate, { api, book, random, lifeMs }: Options): Promise<void> {
  const path = pathOf(collections.fineTuneJobs, namespace, name);
  // Drawn now, so that they do not depend on who comes first.
  const moments = [random.below(lifeMs), random.below(lifeMs)];
  const ended = book.ended(name);
  book.expect(name, fate);
  const changes = { 'spec.resources': { gpus: 1 }, 'spec.ttlSecondsAfterFinished': ttlSeconds };
  await api.call('POST', pathOf(collections.fineTuneJobs, namespace), smallestJob(changes, name));
  await fate.script?.({
    moment: () => sleep(moments.pop()),
    change: (spec) => unlessGone(api.call('PATCH', path, { spec })),
    remove: () => unlessGone(api.call('DELETE', path, { propagationPolicy: 'Background' })),
    ended: () => ended,
  });
}

/** Its time after the end may be over. */
async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 404)) throw error;
  }
}
