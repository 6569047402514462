/** The preflight Job: from its creation to its report or its failure. */
import type { V1Pod } from '@kubernetes/client-node';
import { mountedObjects } from '../../manifests/sources.ts';
import { waitingBetweenPods, waitingForAnyPod } from '../between-pods.ts';
import { creationOf } from '../create.ts';
import { endedAt } from '../ending.ts';
import { present } from '../present.ts';
import type { Run } from '../run.ts';
import { type Check, failureOf, type Verdict } from '../verdict.ts';
import { waitingForStart, waits } from '../waiting.ts';
import { restart } from './restart.ts';
import { resume } from './stop.ts';

export const preflight: Check = (run) => (run.report === undefined ? undecided(run) : undefined);

function undecided(run: Run): Verdict {
  const { preflight, now } = run;
  const { state } = preflight;
  switch (state.at) {
    case 'absent': {
      const creation = creationOf(run, 'preflight');
      const actions = 'object' in creation ? [{ kind: 'create' as const, object: creation.object }] : [];
      return { ...pending, message: 'The preflight Job is being made.', actions };
    }
    case 'leaving':
      return { ...pending, message: 'The preflight Job was deleted and is made again.' };
    case 'held':
      if (!state.byUser) return { ...pending, message: 'Somebody else has suspended the preflight Job.' };
      return {
        ...pending,
        message: 'The preflight Job goes on.',
        actions: preflight.job ? [resume(preflight.job)] : [],
      };
    case 'waiting':
      return waiting(run, state.pod);
    case 'running':
    case 'stopping':
      return unlessOverdue(run, {
        phase: 'Preflight',
        reason: 'PreflightRunning',
        message: 'Data and model are being checked.',
      });
    case 'retrying':
    case 'interrupted':
      return unlessOverdue(run, {
        ...pending,
        message: `Preflight starts again: ${state.fault.message}`,
        failure: failureOf(state.fault, state.ending, undefined),
      });
    case 'failed':
      return {
        phase: 'Failed',
        reason: 'PreflightFailed',
        message: state.fault.message,
        endedAt: endedAt(state.ending, now),
        failure: failureOf(state.fault, state.ending, undefined),
      };
    case 'reached':
    case 'lost':
      return restart(preflight, now, {
        ...pending,
        message: 'The report of preflight is lost with its pod; it is made again.',
      });
  }
}

const pending = { phase: 'Preflight', reason: 'PreflightPending' } as const;
/** What a person should know of. */
const stuck = { phase: 'Pending', reason: 'PreflightPending' } as const;

function waiting(run: Run, pod: V1Pod | undefined): Verdict {
  const wait = pod
    ? waitingForStart(pod, mountedObjects(run.job.spec), run.now)
    : waitingForAnyPod(run, run.preflight);
  if (wait === undefined) return { ...pending, message: 'The preflight Job is being made.' };
  return waits(wait.category === undefined ? pending : stuck, wait);
}

function unlessOverdue(run: Run, verdict: Verdict): Verdict {
  const wait = waitingBetweenPods(run, run.preflight);
  if (wait?.category !== undefined) return waits(stuck, wait);
  return present({ ...verdict, requeueAfterMs: wait?.recheckMs });
}
