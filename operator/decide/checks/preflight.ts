/** The preflight Job: from its creation to its report or its failure. */
import { startsAgain, unlessOverdue } from '../between-pods.ts';
import { creationOf } from '../create.ts';
import { endedAt } from '../ending.ts';
import type { Run } from '../run.ts';
import { type Check, failureOf, type Verdict } from '../verdict.ts';
import { leaving, restart } from './restart.ts';
import { resume } from './stop.ts';

export const preflight: Check = (run) => (run.report === undefined ? undecided(run) : undefined);

function undecided(run: Run): Verdict {
  const { preflight, now } = run;
  const { state } = preflight;
  switch (state.at) {
    case 'absent': {
      const creation = creationOf(run, 'preflight');
      const actions = 'object' in creation ? [{ kind: 'create' as const, object: creation.object }] : [];
      return { ...beingMade, actions };
    }
    case 'leaving':
      return leaving(run, preflight, {
        ...pending,
        message: 'The preflight Job was deleted and is made again.',
      });
    case 'held':
      if (!state.byUser) return { ...pending, message: 'Somebody else has suspended the preflight Job.' };
      return {
        ...pending,
        message: 'The preflight Job goes on.',
        actions: preflight.job ? [resume(preflight.job)] : [],
      };
    case 'waiting':
      return unlessOverdue(run, preflight, beingMade, stuck);
    case 'running':
    case 'stopping':
      return unlessOverdue(run, preflight, checking, stuck);
    case 'retrying':
    case 'interrupted': {
      const failure = failureOf(state.fault, state.ending, undefined);
      const message = `Preflight ${startsAgain(state)}: ${state.fault.message}`;
      const again = { ...pending, message, failure };
      return unlessOverdue(run, preflight, again, stuck);
    }
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
const beingMade = { ...pending, message: 'The preflight Job is being made.' };
const checking: Verdict = {
  phase: 'Preflight',
  reason: 'PreflightRunning',
  message: 'Data and model are being checked.',
};
