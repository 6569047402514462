/** What the kubelet makes of a pod, as slowly or badly as the dice say, and what the trainer in it says at its end. */
import type { V1Pod } from '@kubernetes/client-node';
import {
  after,
  endedStatus,
  failed,
  interrupted,
  rejected,
  runningFrom,
  succeeded,
  validated,
} from '../builders.ts';

/** How pods behave: they succeed soon; they end in any way; they train on until they are asked to stop, and stop late. */
export type Mood = 'well' | 'badly' | 'long';

/** In which a pod that is asked to stop comes to its end, and how likely it does so at each step before. */
export const graceSeconds = 90;
const stops: Record<Mood, number> = { well: 1, badly: 0.5, long: 0.1 };

/** `time` in seconds since the start; by `ahead` seconds the clock of the node is ahead. */
export type Node = { dice: () => number; mood: Mood; time: number; ahead: number };

/** The pod a moment later, the same one if nothing happened; undefined = it is gone. */
export function kubelet(pod: V1Pod, node: Node): V1Pod | undefined {
  const { dice } = node;
  const phase = pod.status?.phase;
  const asked = pod.metadata?.deletionTimestamp;
  if (phase === 'Running') return goOn(pod, node, asked && new Date(asked));
  if (phase !== 'Pending') return asked !== undefined && dice() < 0.5 ? undefined : pod;
  if (asked !== undefined) return { ...pod, status: { phase: 'Failed' } };
  return dice() < 0.7 ? begin(pod, node) : pod;
}

export function isTrain({ metadata }: V1Pod): boolean {
  return metadata?.labels?.['finetune.dev/stage'] === 'train';
}

function goOn(pod: V1Pod, node: Node, asked: Date | undefined): V1Pod {
  const { dice, mood, time } = node;
  if (asked === undefined) {
    const ends = mood !== 'long' && dice() < (mood === 'well' ? 0.5 : 0.2);
    return ends ? end(pod, node, mood === 'well' ? 0 : anyEnd(dice)) : pod;
  }
  const late = after(time) >= asked;
  return late || dice() < stops[mood] ? end(pod, node, dice() < 0.8 ? 143 : 137) : pod;
}

function anyEnd(dice: () => number): number {
  const codes = [0, 0, 11, 18, 30, 31, 137];
  return codes[Math.floor(dice() * codes.length)]!;
}

function begin(pod: V1Pod, { time, ahead }: Node): V1Pod {
  const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: after(time) }];
  return { ...pod, status: { ...runningFrom(time + ahead), conditions } };
}

function end(pod: V1Pod, { dice, time, ahead }: Node, exitCode: number): V1Pod {
  const status = endedStatus(exitCode, lastWord(pod, exitCode, dice));
  const terminated = status.containerStatuses![0]!.state!.terminated!;
  terminated.startedAt = pod.status!.containerStatuses![0]!.state!.running!.startedAt!;
  terminated.finishedAt = after(time + ahead);
  return { ...pod, status };
}

function lastWord(pod: V1Pod, exitCode: number, dice: () => number): unknown {
  const { uid = '', labels = {} } = pod.metadata ?? {};
  const words: Record<number, object | string> = {
    0: isTrain(pod) ? (dice() < 0.8 ? succeeded(uid) : rejected(uid)) : validated(uid),
    11: failed(uid, 'DataError', 'bad'),
    18: failed(uid, 'AcceleratorOutOfMemory', 'full'),
    30: failed(uid, 'SourceUnavailable', 'gone'),
    143: interrupted(uid),
  };
  const word = words[exitCode] ?? '';
  return typeof word === 'string' ? word : { ...word, runId: labels['finetune.dev/run'] };
}
