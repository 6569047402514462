/** How played trainers end. */
import { failed, rejected as rejectedBy, succeeded } from '../operator/builders.ts';
import type { Cast, End } from './kubelet.ts';

/** Of whom a trainer speaks. */
export type Identity = Pick<Cast, 'jobUid' | 'runId' | 'podUid'>;

const identity = ({ jobUid, runId }: Identity) => ({ jobUid, runId });

export const success = (cast: Identity): End => ({
  exitCode: 0,
  message: { ...succeeded(cast.podUid), ...identity(cast) },
});

export function failure(cast: Identity, category: Parameters<typeof failed>[1], exitCode: number): End {
  return { exitCode, message: { ...failed(cast.podUid, category, 'as the script says'), ...identity(cast) } };
}

export const rejected = (cast: Cast): End => ({
  exitCode: 0,
  message: { ...rejectedBy(cast.podUid), ...identity(cast) },
});

export const nodeLost: End = {
  exitCode: 137,
  message: '',
  status: {
    phase: 'Failed',
    conditions: [
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'the node is gone',
      },
    ],
  },
};

export const outOfDisk: End = {
  exitCode: 137,
  message: '',
  status: {
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "work" exceeds the limit "64Gi".',
  },
};

/** The first trainer of each run stays until it is deleted, the others succeed. */
export const staysOnce = (cast: Cast) => (cast.attempt === 1 ? 'stays' : success(cast));
/** Step of the checkpoint that a played trainer saves when it is stopped. */
export const interruptedAt = 20;
