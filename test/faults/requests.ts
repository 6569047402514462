/** Names of requests and events that stay the same from run to run: how a plan says where its fault strikes. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import type { Lease } from '../../operator/kube/lease.ts';
import { labels } from '../../operator/manifests/names.ts';

export type Incoming = { method: string; url: URL; body: string };

/** Resources whose lists and watches are faulted. */
export const watched = ['finetunejobs', 'finetuneruntimes', 'jobs', 'pods'] as const;
export type Watched = (typeof watched)[number];

export type Named =
  | { kind: 'write'; id: string; resource: string }
  | { kind: 'list' | 'watch'; resource: Watched }
  | { kind: 'read'; id: string }
  | { kind: 'other' };

/** What a request is, from its method, path and body; names, UIDs and versions left out. */
export function nameOf({ method, url, body }: Incoming): Named {
  const [resource = '', name, subresource] = url.pathname
    .replace(/^\/(api|apis\/[^/]+)\/[^/]+\//, '')
    .replace(/^namespaces\/[^/]+\//, '')
    .split('/');
  if (method === 'GET') {
    const isWatched = (watched as readonly string[]).includes(resource);
    if (resource !== '' && name !== undefined)
      return { kind: 'read', id: idOf(method, resource, name, subresource, {}) };
    if (!isWatched) return { kind: 'other' };
    return { kind: url.searchParams.has('watch') ? 'watch' : 'list', resource: resource as Watched };
  }
  return { kind: 'write', resource, id: idOf(method, resource, name, subresource, parsed(body)) };
}

type Body = {
  metadata?: { labels?: Record<string, string> };
  reason?: string;
  status?: { phase?: string; conditions?: { type: string; reason: string }[] };
};

type WatchEvent = { type: string; object: object };

/**
 * What an event of a watch tells, not where in the watch it comes: "event-of-jobs-train-Complete". So a plan strikes at the
 * same turn of the run also when another event came in between.
 */
export function eventNameOf(resource: Watched, line: string): string {
  const { type, object } = JSON.parse(line) as WatchEvent;
  const isOver = type === 'DELETED' || type === 'ERROR';
  return `event-of-${resource}-${isOver ? type.toLowerCase() : stateOf(resource, object)}`;
}

function stateOf(resource: Watched, object: object): string {
  switch (resource) {
    case 'finetunejobs':
      return stateOfFineTuneJob(object as FineTuneJob);
    case 'jobs':
      return stateOfJob(object as V1Job);
    case 'pods':
      return stateOfPod(object as V1Pod);
    case 'finetuneruntimes':
      return 'written';
  }
}

/** The status that was written; or that a user wrote, and the operator has not answered yet. */
function stateOfFineTuneJob({ metadata, status }: FineTuneJob): string {
  if (metadata.deletionTimestamp !== undefined) return 'deleting';
  if (status?.observedGeneration === undefined) return 'new';
  if (status.observedGeneration !== metadata.generation) return 'spec';
  return `${status.phase}-${readyReason(status)}`;
}

function stateOfJob({ metadata, spec, status }: V1Job): string {
  const holds = status?.conditions?.filter((one) => one.status === 'True').at(-1)?.type;
  const works = status?.startTime === undefined ? 'new' : status.active ? 'active' : 'idle';
  const state = metadata?.deletionTimestamp ? 'deleting' : spec?.suspend ? 'suspended' : (holds ?? works);
  return `${metadata?.labels?.[labels.stage]}-${state}`;
}

function stateOfPod({ metadata, status }: V1Pod): string {
  const isBound = status?.conditions?.some(({ type }) => type === 'PodScheduled');
  const phase = status?.phase === 'Pending' && isBound ? 'Bound' : status?.phase;
  return `${metadata?.labels?.[labels.stage]}-${metadata?.deletionTimestamp ? 'deleting-' : ''}${phase}`;
}

function readyReason(status: {
  conditions?: { type: string; reason: string }[] | undefined;
}): string | undefined {
  return status.conditions?.find(({ type }) => type === 'Ready')?.reason;
}

function idOf(
  method: string,
  resource: string,
  name: string | undefined,
  subresource: string | undefined,
  body: Body & Partial<Lease>,
): string {
  const verbs = { GET: 'read', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
  const verb = verbs[method as keyof typeof verbs] ?? method;
  if (resource === 'events') return method === 'POST' ? `event-${body.reason}` : 'event-again';
  if (resource === 'jobs') {
    const stage = body.metadata?.labels?.[labels.stage] ?? name?.slice(name.lastIndexOf('-') + 1);
    return `${verb}-job-${stage}`;
  }
  if (subresource === 'status' && method !== 'GET') {
    return `status-${body.status?.phase}-${readyReason(body.status ?? {})}`;
  }
  if (resource === 'leases' && method !== 'GET')
    return body.spec?.holderIdentity === '' ? 'lease-release' : `lease-${verb}`;
  return `${verb}-${resource}`;
}

function parsed(body: string): Body & Partial<Lease> {
  return body === '' ? {} : (JSON.parse(body) as Body & Partial<Lease>);
}
