/** How a pod ended, and whose fault it was. */
import type { V1ContainerStateTerminated, V1Pod } from '@kubernetes/client-node';
import {
  categoryOfExitCode,
  type FailureCategory,
  type FailureRule,
  failures,
  type RetryRule,
} from '../../crds/failures.ts';
import type { Result } from '../../crds/trainer-contract.ts';
import { type Stage, trainerContainer } from '../manifests/names.ts';
import { hintFor } from './hints.ts';
import type { FineTuneJob } from './plan.ts';
import { millis, present, timestampOf } from './present.ts';
import { type Reading, readResult } from './result.ts';

export type Ending = {
  pod: V1Pod;
  finishedAt?: string;
  exitCode?: number;
  result?: Result;
  /** Absent when the stage reached its goal. */
  fault?: Fault;
};

export type Fault = {
  category: FailureCategory;
  retry: RetryRule;
  message: string;
  hint: string;
  step?: number;
  logTail?: string;
};

export type RunIdentity = { jobUid: string; runId: string; stage: Stage };

/** Who a pod has to be, so that its words are about this stage of the run. */
export function identityIn({ metadata, spec }: FineTuneJob, stage: Stage): RunIdentity {
  return { jobUid: metadata.uid, runId: spec.runId, stage };
}

type Seen = {
  pod: V1Pod;
  stage: Stage;
  terminated: V1ContainerStateTerminated | undefined;
  reading: Reading;
};

type Verdict = { category: FailureCategory; message: string; retry?: RetryRule; hint?: string };

const goals: Record<Stage, readonly Result['outcome'][]> = {
  preflight: ['Validated'],
  train: ['Succeeded', 'Rejected'],
};

/** Whether a pod can do nothing any more. */
export function isOver(pod: V1Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Failed' || phase === 'Succeeded' || containerStatus(pod)?.state?.terminated !== undefined;
}

/** The ending of a pod, or undefined while it may still do something. */
export function endingOf(pod: V1Pod, run: RunIdentity): Ending | undefined {
  if (!isOver(pod)) return undefined;
  const terminated = containerStatus(pod)?.state?.terminated;
  const { jobUid, runId, stage } = run;
  const podUid = pod.metadata?.uid ?? '';
  const reading = readResult(terminated?.message, { jobUid, runId, podUid });
  const result = 'result' in reading ? reading.result : undefined;
  const reached = terminated?.exitCode === 0 && result !== undefined && goals[stage].includes(result.outcome);
  return present({
    pod,
    finishedAt: timestampOf(terminated?.finishedAt),
    exitCode: terminated?.exitCode,
    result,
    fault: reached ? undefined : faultOf({ pod, stage, terminated, reading }),
  });
}

/** When a run is over that this ending brought to its end: not later than now, although the clock of the node may say so. */
export function endedAt(ending: Ending | undefined, now: Date): string {
  const at = Math.min(millis(ending?.finishedAt) ?? Number.POSITIVE_INFINITY, now.getTime());
  return timestampOf(new Date(at)) ?? '';
}

export function containerStatus(pod: V1Pod) {
  return pod.status?.containerStatuses?.find((status) => status.name === trainerContainer);
}

/** Whether the trainer uses its node. On a node that is lost its container seems to run for ever: the phase tells that it is over. */
export function isAtWork(pod: V1Pod): boolean {
  return pod.status?.phase === 'Running' && containerStatus(pod)?.state?.running !== undefined;
}

/** First answer wins; the last one always answers. */
const judgements: ((seen: Seen) => Verdict | undefined)[] = [
  outOfMemory,
  // Before the trainer's own words: it only knows that it was stopped.
  diskFull,
  trainerSaysWhy,
  disrupted,
  deleted,
  neverStarted,
  endedWithoutResult,
  killed,
  byExitCode,
];

function faultOf(seen: Seen): Fault {
  const verdict = judgements.map((judge) => judge(seen)).find((answer) => answer !== undefined);
  const { category, message, retry, hint } = verdict ?? {
    category: 'Internal' as const,
    message: 'Unknown.',
  };
  const rule: FailureRule = failures[category];
  const said = 'result' in seen.reading ? seen.reading.result : undefined;
  return present({
    category,
    retry: retry ?? retryIn(seen.stage, rule.retry),
    message,
    hint: hint ?? hintFor(category, { stage: seen.stage, memoryLimit: memoryLimitOf(seen.pod) }),
    step: said !== undefined && 'step' in said ? said.step : undefined,
    logTail: 'text' in seen.reading && seen.reading.text !== '' ? seen.reading.text : undefined,
  });
}

/** Preflight has no micro-batches. */
export function retryIn(stage: Stage, rule: RetryRule): RetryRule {
  return rule === 'smaller' && stage === 'preflight' ? 'never' : rule;
}

function outOfMemory({ terminated, pod }: Seen): Verdict | undefined {
  if (terminated?.reason !== 'OOMKilled') return undefined;
  const limit = memoryLimitOf(pod);
  const message = `The pod used more memory than its limit${limit === undefined ? '' : ` of ${limit}`} and was killed.`;
  return { category: 'HostOutOfMemory', message };
}

/** Only a category that a trainer can know of counts, and never against an exit code of 0. */
function trainerSaysWhy({ terminated, reading }: Seen): Verdict | undefined {
  if (!('result' in reading) || terminated === undefined || terminated.exitCode === 0) return undefined;
  const { result } = reading;
  if (result.outcome === 'Interrupted') {
    return { category: 'Interrupted', message: `The pod was stopped at step ${result.step}.` };
  }
  if (result.outcome !== 'Failed') return undefined;
  const rule: FailureRule = failures[result.category];
  if (rule.exitCode === undefined) return undefined;
  const { category, message, hint } = result;
  return { category, message, ...(hint !== '' && { hint }) };
}

/** The pod's own disk use; without this it would be evicted again and again. */
function diskFull({ pod }: Seen): Verdict | undefined {
  const { reason, message = '' } = pod.status ?? {};
  if (reason !== 'Evicted' || !/exceeds the (total )?limit/i.test(message)) return undefined;
  return {
    category: 'Internal',
    retry: 'never',
    message: `The pod was evicted: ${message}`,
    hint: 'Model, data and checkpoint need more local disk than a trainer gets. Use a smaller model or dataset.',
  };
}

function disrupted({ pod, terminated }: Seen): Verdict | undefined {
  const { conditions = [], reason, message } = pod.status ?? {};
  const disruption = conditions.find((one) => one.type === 'DisruptionTarget' && one.status === 'True');
  const lost =
    reason === 'Evicted' || reason === 'NodeLost' || reason === 'Terminated' || reason === 'Shutdown';
  if (disruption === undefined && !lost && terminated?.reason !== 'ContainerStatusUnknown') return undefined;
  const why = disruption?.message ?? message ?? disruption?.reason ?? reason ?? 'its node lost track of it';
  return { category: 'NodeLost', message: `The pod was stopped by the cluster: ${why}` };
}

/** Deleted by hand or by its Job: it may have had no time to say so. */
function deleted({ pod, terminated }: Seen): Verdict | undefined {
  const exitCode = terminated?.exitCode;
  const asked = pod.metadata?.deletionTimestamp !== undefined;
  if (exitCode === failures.Interrupted.exitCode || (asked && (exitCode === undefined || exitCode === 137))) {
    return { category: 'Interrupted', message: 'The pod was deleted.' };
  }
  return undefined;
}

/** Refused by the kubelet, for example because its device plugin fails. Counted, or it would go on for ever. */
function neverStarted({ pod, terminated }: Seen): Verdict | undefined {
  if (terminated !== undefined) return undefined;
  const { reason = 'no reason given', message = '' } = pod.status ?? {};
  const why = message === '' ? reason : `${reason}: ${message}`;
  return { category: 'Unschedulable', retry: 'limited', message: `The node refused the pod (${why}).` };
}

/** The Job takes exit code 0 for success and runs nothing again, so neither does the operator. */
function endedWithoutResult({ terminated, reading }: Seen): Verdict | undefined {
  if (terminated?.exitCode !== 0) return undefined;
  const problem = 'problem' in reading ? reading.problem : `it reports ${reading.result.outcome}`;
  return { category: 'Internal', retry: 'never', message: `The pod ended without a result: ${problem}.` };
}

function killed({ terminated }: Seen): Verdict | undefined {
  if (terminated?.exitCode !== 137) return undefined;
  return {
    category: 'Internal',
    message: 'The pod was killed from outside (signal 9), and not at its own memory limit.',
    hint: 'Perhaps the node ran out of memory; see the events of the node.',
  };
}

function byExitCode({ terminated }: Seen): Verdict {
  const { exitCode = 1, reason, message = '' } = terminated ?? {};
  const category = categoryOfExitCode(exitCode);
  // The container runtime could not start the command: its words are the message.
  if (reason === 'StartError' || reason === 'ContainerCannotRun') {
    return { category, message: `The container could not be started: ${message}` };
  }
  return { category, message: `${failures[category].meaning} The trainer ended with exit code ${exitCode}.` };
}

function memoryLimitOf(pod: V1Pod): string | undefined {
  return pod.spec?.containers?.find(({ name }) => name === trainerContainer)?.resources?.limits?.['memory'];
}
