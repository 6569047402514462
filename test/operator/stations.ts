/** Brings a job on a real API server to a station of its way, playing the Job controller and the kubelet. */
import assert from 'node:assert/strict';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { type Stage, stageName } from '../../operator/manifests/names.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { createJob, eventually, read, runPod, setPodStatus } from './api.ts';
import { endedStatus, interrupted, runningStatus, succeeded, validated } from './builders.ts';

export function stageOf(plane: ControlPlane, job: FineTuneJob, stage: Stage): Promise<V1Job | undefined> {
  return read<V1Job>(plane, 'job', stageName(job.metadata, '1', stage));
}

export function stageMade(plane: ControlPlane, job: FineTuneJob, stage: Stage): Promise<V1Job> {
  return eventually(`${stage} Job of ${job.metadata.name}`, () => stageOf(plane, job, stage));
}

/** Waits until the status of the job answers the question. */
export function statusOf<T>(
  plane: ControlPlane,
  name: string,
  what: string,
  ask: (status: NonNullable<FineTuneJob['status']>) => T | undefined | false,
): Promise<T> {
  return eventually(what, async () => {
    const { status } = (await read<FineTuneJob>(plane, 'ftj', name)) ?? {};
    return status && ask(status);
  });
}

/** A job whose preflight has passed; its train Job is made. */
export async function checked(
  plane: ControlPlane,
  name: string,
  changes: Record<string, unknown> = {},
  labels: Record<string, string> = {},
) {
  const job = await createJob(plane, name, changes, labels);
  const check = await runPod(plane, await stageMade(plane, job, 'preflight'), runningStatus);
  const report = { ...validated(check.metadata!.uid!), jobUid: job.metadata.uid };
  await setPodStatus(plane, check.metadata!.name!, endedStatus(0, report));
  return { job, train: await stageMade(plane, job, 'train') };
}

export type Training = { job: FineTuneJob; train: V1Job; pod: V1Pod };

/** A job whose trainer runs, since a moment ago. */
export async function training(
  plane: ControlPlane,
  name: string,
  changes: Record<string, unknown> = {},
): Promise<Training> {
  const { job, train } = await checked(plane, name, changes);
  const pod = await startTrainer(plane, train);
  await statusOf(plane, name, 'the attempt', ({ attempt }) => attempt?.podUID === pod.metadata?.uid);
  return { job, train, pod };
}

/** The pod of a train Job, whose container starts now. */
export async function startTrainer(plane: ControlPlane, train: V1Job): Promise<V1Pod> {
  const pod = await runPod(plane, train, {});
  const [container] = runningStatus.containerStatuses!;
  const state = { running: { startedAt: seconds(new Date()) } };
  await setPodStatus(plane, pod.metadata!.name!, {
    ...runningStatus,
    containerStatuses: [{ ...container, state }],
  });
  return pod;
}

/** The trainer comes to its end now, with success, and the operator has seen it. */
export async function succeed(plane: ControlPlane, run: Training): Promise<void> {
  await endWell(plane, run);
  await statusOf(plane, run.job.metadata.name, 'success', ({ phase }) => phase === 'Succeeded');
}

/** The trainer comes to its end now, with success. */
export async function endWell(plane: ControlPlane, { job, pod }: Training): Promise<void> {
  const said = { ...succeeded(pod.metadata!.uid!), jobUid: job.metadata.uid };
  await endNow(plane, pod, endedStatus(0, said));
}

/** The trainer was asked to stop, and has saved a checkpoint. */
export async function interrupt(plane: ControlPlane, { job, pod }: Training): Promise<void> {
  const said = { ...interrupted(pod.metadata!.uid!), jobUid: job.metadata.uid };
  await endNow(plane, pod, endedStatus(143, said));
}

export async function endNow(
  plane: ControlPlane,
  pod: V1Pod,
  status: NonNullable<V1Pod['status']>,
): Promise<void> {
  const terminated = status.containerStatuses?.[0]?.state?.terminated;
  assert.ok(terminated);
  const { containerStatuses } = (await read<V1Pod>(plane, 'pod', pod.metadata!.name!))!.status!;
  const startedAt = containerStatuses?.[0]?.state?.running?.startedAt;
  Object.assign(terminated, { startedAt, finishedAt: seconds(new Date()) });
  await setPodStatus(plane, pod.metadata!.name!, status);
}

function seconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
