/** What is left at the end of a run, and what was made and removed on the way, in words that do not differ by chance. */
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { Identities } from './identities.ts';
import type { Scene, Sighting } from './witness.ts';

export type EndState = {
  /** "Job spam#1 run 1 train no. 1" -> what matters of it. */
  objects: Record<string, unknown>;
  /** "CREATE Job spam#1 run 1 train" -> how often. */
  counts: Record<string, number>;
};

export function endStateOf(scene: Scene, namespace: string): EndState {
  const identities = new Identities(scene.history);
  const objects = [...scene.objects.values()].map((object) => {
    const text = masked(identities.replaceIn(JSON.stringify(partOf(object))), namespace);
    return [identities.name(object.metadata?.uid ?? ''), JSON.parse(text) as unknown];
  });
  return { objects: Object.fromEntries(objects), counts: countsOf(scene.history, identities) };
}

/** How often each object was created and deleted, by what it is for. */
function countsOf(history: readonly Sighting[], identities: Identities): Record<string, number> {
  const counts: Record<string, number> = {};
  const created = new Set<string>();
  for (const { type, object } of history) {
    const uid = object.metadata?.uid ?? '';
    const count = (what: string) => {
      const key = `${what} ${identities.kind(uid)}`;
      counts[key] = (counts[key] ?? 0) + 1;
    };
    if (!created.has(uid)) count('CREATE');
    created.add(uid);
    if (type === 'DELETED') count('DELETE');
  }
  return counts;
}

/** Differences in words, each with its path; empty = the same. `unsettled` paths may differ. */
export function differences(want: EndState, got: EndState, unsettled = /^$/): string[] {
  const all = [...compare('', want.objects, got.objects), ...compare('', want.counts, got.counts)];
  return all.filter((difference) => !unsettled.test(difference.split(': ')[0] ?? ''));
}

function compare(path: string, want: unknown, got: unknown): string[] {
  if (isDeepStrictEqual(want, got)) return [];
  if (!isRecord(want) || !isRecord(got)) return [`${path}: ${shown(got)} instead of ${shown(want)}`];
  const keys = new Set([...Object.keys(want), ...Object.keys(got)]);
  return [...keys].flatMap((key) => compare(path === '' ? key : `${path}.${key}`, want[key], got[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** Of each object what the operator decides, or what decides about it. */
function partOf(object: KubernetesObject): object {
  const { kind, metadata } = object;
  const { name, labels, annotations, ownerReferences, deletionTimestamp } = metadata ?? {};
  const common = {
    kind,
    name,
    labels,
    annotations,
    ownerReferences,
    deleting: deletionTimestamp !== undefined,
  };
  if (kind === 'FineTuneJob') {
    const { spec, status } = object as FineTuneJob;
    // By type, so that a difference is told in few words.
    const conditions = Object.fromEntries(status?.conditions?.map((one) => [one.type, one]) ?? []);
    const settled = { ...status, conditions, attempt: settledAttempt(status), usage: settledUsage(status) };
    return { ...common, generation: metadata?.generation, spec, status: settled };
  }
  if (kind === 'Job') {
    const { spec, status } = object as V1Job;
    const conditions = status?.conditions?.map(
      ({ type, status: holds, reason }) => `${type}=${holds} ${reason}`,
    );
    return {
      ...common,
      spec,
      conditions: conditions?.toSorted(),
      succeeded: status?.succeeded,
      failed: status?.failed,
    };
  }
  return { ...common, phase: (object as V1Pod).status?.phase };
}

/**
 * Without running times and steps done twice, which are counted from what the operator happened to see of each attempt, and
 * without what fell into one second.
 */
function settledAttempt(status: FineTuneJob['status']): object | undefined {
  if (status?.attempt === undefined) return undefined;
  const { number, podName, podUID, nodeName, startTime } = status.attempt;
  return { number, podName, podUID, nodeName, startTime };
}

function settledUsage(status: FineTuneJob['status']): object | undefined {
  if (status?.usage === undefined) return undefined;
  const { lostSteps: _, activeSeconds: __, gpuSeconds: ___, cost: ____, ...usage } = status.usage;
  return usage;
}

function masked(text: string, namespace: string): string {
  return text
    .replaceAll(namespace, 'NAMESPACE')
    .replace(
      /-[0-9a-f]{10}-(preflight|train)(-[a-z0-9]{5}\b)?/g,
      (_, stage, pod) => `-HASH-${stage}${pod ? '-*' : ''}`,
    )
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME');
}
