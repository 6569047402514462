/** Kinds of the API and their URL paths. */

export type Resource = {
  /** '' for the core group. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
};

const namespaced = (group: string, version: string, kind: string, plural: string): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
});

export const pods = namespaced('', 'v1', 'Pod', 'pods');
export const coreEvents = namespaced('', 'v1', 'Event', 'events');
export const jobs = namespaced('batch', 'v1', 'Job', 'jobs');
export const leases = namespaced('coordination.k8s.io', 'v1', 'Lease', 'leases');

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Objects of a group that Kubernetes itself defines; their times are typed as Date. */
export function isBuiltIn({ group }: Resource): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

export type PathParts = { namespace?: string | undefined; name?: string; subresource?: string };

/** URL path of a collection, an object or a subresource. No namespace = all namespaces. */
export function pathOf(resource: Resource, { namespace, name, subresource }: PathParts = {}): string {
  const { group, version, plural } = resource;
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  if (resource.namespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}
