/** Names of requests that stay the same from run to run: how a plan says where its fault strikes. */
import type { Lease } from '../../operator/kube/lease.ts';

export type Incoming = { method: string; url: URL; body: string };

/** Resources whose lists and watches are faulted. */
export const watched = ['finetunejobs', 'finetuneruntimes', 'jobs', 'pods'] as const;
export type Watched = (typeof watched)[number];

export type Named =
  | { kind: 'write'; id: string; resource: string }
  | { kind: 'list' | 'watch'; resource: Watched }
  | { kind: 'other' };

/** What a request is, from its method, path and body; names, UIDs and versions left out. */
export function nameOf({ method, url, body }: Incoming): Named {
  const [resource = '', name, subresource] = url.pathname
    .replace(/^\/(api|apis\/[^/]+)\/[^/]+\//, '')
    .replace(/^namespaces\/[^/]+\//, '')
    .split('/');
  if (method === 'GET') {
    const isWatched = (watched as readonly string[]).includes(resource);
    if (!isWatched || name !== undefined) return { kind: 'other' };
    return { kind: url.searchParams.has('watch') ? 'watch' : 'list', resource: resource as Watched };
  }
  return { kind: 'write', resource, id: idOf(method, resource, name, subresource, parsed(body)) };
}

type Body = {
  metadata?: { labels?: Record<string, string> };
  reason?: string;
  status?: { phase?: string; conditions?: { type: string; reason: string }[] };
};

function idOf(
  method: string,
  resource: string,
  name: string | undefined,
  subresource: string | undefined,
  body: Body & Partial<Lease>,
): string {
  const verb = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? method;
  if (resource === 'events') return method === 'POST' ? `event-${body.reason}` : 'event-again';
  if (resource === 'jobs') {
    const stage = body.metadata?.labels?.['finetune.dev/stage'] ?? name?.slice(name.lastIndexOf('-') + 1);
    return `${verb}-job-${stage}`;
  }
  if (subresource === 'status') {
    const reason = body.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    return `status-${body.status?.phase}-${reason}`;
  }
  if (resource === 'leases') return body.spec?.holderIdentity === '' ? 'lease-release' : `lease-${verb}`;
  return `${verb}-${resource}`;
}

function parsed(body: string): Body & Partial<Lease> {
  return body === '' ? {} : (JSON.parse(body) as Body & Partial<Lease>);
}
