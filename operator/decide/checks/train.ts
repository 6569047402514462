/** The train Job: from its creation to the result or the failure. */
import type { V1Pod } from '@kubernetes/client-node';
import type { Reason } from '../../../crds/conditions.ts';
import { queueOf } from '../../manifests/queue.ts';
import { attemptOf } from '../attempts.ts';
import { startsAgain, unlessOverdue } from '../between-pods.ts';
import { creationOf } from '../create.ts';
import { type Ending, endedAt } from '../ending.ts';
import { type MicroBatch, smallerBatches } from '../micro-batch.ts';
import { present, timestampOf } from '../present.ts';
import type { Run } from '../run.ts';
import { isQueued, type StageState } from '../stage.ts';
import { untilNextLimit } from '../usage.ts';
import { type Check, deleteJob, failureOf, type Verdict } from '../verdict.ts';
import { leaving, restart } from './restart.ts';
import { resume } from './stop.ts';

/** Stops after preflight where spec.dryRun says so. */
export const dryRun: Check = ({ job, report, now }) => {
  if (!job.spec.dryRun || report === undefined) return undefined;
  const message = `Data and model are fit for training: ${report.totalSteps} steps are planned.`;
  return { phase: 'Validated', reason: 'DryRun', message, endedAt: timestampOf(now) ?? '' };
};

/** The last check: it always answers. */
export function train(run: Run): Verdict {
  const { train } = run;
  const { state } = train;
  switch (state.at) {
    case 'absent':
      return create(run);
    case 'leaving':
      return leaving(
        run,
        train,
        pending(
          'TrainingInterrupted',
          'The train Job was deleted; it is made again and goes on from the last checkpoint.',
        ),
      );
    case 'held':
      return held(run, state.byUser);
    case 'waiting':
      return unlessOverdue(run, train, beingMade, pendingPod);
    case 'running':
      return running(run, state.pod);
    case 'stopping':
      return unlessOverdue(run, train, stopping, pendingPod);
    case 'interrupted':
      return unlessOverdue(run, train, again(run, state, 'TrainingInterrupted'), pendingPod);
    case 'retrying':
      return unlessOverdue(run, train, again(run, state, 'TrainingRetrying'), pendingPod);
    case 'failed':
      return failed(run, state);
    case 'reached':
      return reached(run, state.ending);
    case 'lost':
      return restart(
        train,
        run.now,
        pending('TrainingInterrupted', 'The train Job ended without a result; it is made again.'),
      );
  }
}

function pending(reason: Reason, message: string): Verdict {
  return { phase: 'Pending', reason, message };
}

const pendingPod = { phase: 'Pending', reason: 'TrainingPending' } as const;
const queued = { phase: 'Queued', reason: 'TrainingQueued' } as const;

const beingMade = pending('TrainingPending', 'The train Job is being made.');

const stopping: Verdict = {
  phase: 'Training',
  reason: 'TrainingInterrupted',
  message: 'The pod is being stopped; training goes on from the last checkpoint.',
};

function create(run: Run): Verdict {
  const creation = creationOf(run, 'train');
  const actions = 'object' in creation ? [{ kind: 'create' as const, object: creation.object }] : [];
  const queue = queueOf(run.job.metadata, run.runtime);
  return queue === undefined
    ? { ...beingMade, actions }
    : { ...queued, message: `The train Job waits in queue "${queue}".`, actions };
}

function held({ train: { job } }: Run, byUser: boolean): Verdict {
  if (job !== undefined && byUser) {
    return { ...pending('TrainingPending', 'The train Job goes on.'), actions: [resume(job)] };
  }
  const who = job !== undefined && isQueued(job) ? 'its queue' : 'whoever suspended it';
  return { ...queued, message: `The train Job is suspended and waits for ${who}.` };
}

function running(run: Run, pod: V1Pod): Verdict {
  const { uid: podUid = '' } = pod.metadata ?? {};
  const ip = pod.status?.podIP;
  return present({
    phase: 'Training' as const,
    reason: 'TrainingRunning' as const,
    message: `Attempt ${attemptNumber(run) ?? 1} trains on node ${pod.spec?.nodeName ?? 'unknown'}.`,
    running: true,
    poll: ip === undefined ? undefined : { podUid, ip },
    requeueAfterMs: untilNextLimit(run),
  });
}

function again(
  run: Run,
  state: Extract<StageState, { at: 'retrying' | 'interrupted' }>,
  reason: Reason,
): Verdict {
  const { ending, fault } = state;
  const failure = failureOf(fault, ending, attemptNumber(run));
  return {
    phase: 'Training',
    reason,
    message: `The trainer ${startsAgain(state)}: ${fault.message}`,
    failure,
  };
}

function failed(run: Run, state: Extract<StageState, { at: 'failed' }>): Verdict {
  const { fault, ending, exhausted } = state;
  const next = smallerBatches(run);
  if (next !== undefined) return withSmallerBatches(run, state, next);
  return {
    phase: 'Failed',
    reason: exhausted ? 'RetriesExhausted' : 'TrainingFailed',
    message: fault.message,
    endedAt: endedAt(ending, run.now),
    failure: failureOf(fault, ending, attemptNumber(run)),
  };
}

/** First the new size is remembered, then the Job is deleted: whatever comes in between, it is made smaller once. */
function withSmallerBatches(
  run: Run,
  { fault, ending }: Extract<StageState, { at: 'failed' }>,
  { batchSize, gradientAccumulationSteps, jobUID }: MicroBatch,
): Verdict {
  const batches = `${gradientAccumulationSteps} batches of ${batchSize} rows a step`;
  const { job } = run.train;
  const leaving = job?.metadata?.deletionTimestamp !== undefined;
  const ready = run.remembered.microBatch?.jobUID === jobUID && job !== undefined && !leaving;
  return {
    phase: 'Training',
    reason: 'TrainingRetrying',
    message: `The trainer starts again with ${batches}: ${fault.message}`,
    failure: failureOf(fault, ending, attemptNumber(run)),
    actions: ready ? [deleteJob(job, `it ran out of memory; the next one uses ${batches}`)] : [],
  };
}

function reached(run: Run, ending: Ending): Verdict {
  const { result } = ending;
  const end = { endedAt: endedAt(ending, run.now) };
  if (result?.outcome === 'Rejected') {
    return { phase: 'Rejected', reason: 'GateNotPassed', message: result.message, ...end };
  }
  const where = result?.outcome === 'Succeeded' ? ` Model: ${result.model.uri}` : '';
  return {
    phase: 'Succeeded',
    reason: 'Succeeded',
    message: `The model is trained and published.${where}`,
    ...end,
  };
}

function attemptNumber(run: Run): number | undefined {
  return attemptOf(run.remembered.attempt, run.trainPods)?.number;
}
