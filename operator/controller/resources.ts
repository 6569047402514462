/** The kinds that the controller reads and writes. */
import { type Resource as Crd, group, jobResource, runtimeResource, version } from '../../crds/crd.ts';
import { apiVersionOf, jobs, type Resource } from '../kube/resources.ts';

const custom = ({ kind, plural, scope }: Crd): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced: scope === 'Namespaced',
});

export const fineTuneJobs = custom(jobResource);
export const fineTuneRuntimes = custom(runtimeResource);

/** Kinds that a plan may make, change or remove: what operator/permissions.ts grants. */
const managed = [jobs, fineTuneJobs];

export function managedResource(apiVersion: string | undefined, kind: string | undefined): Resource {
  const found = managed.find((each) => apiVersionOf(each) === apiVersion && each.kind === kind);
  if (found === undefined) throw new Error(`the operator does not manage ${apiVersion} ${kind}`);
  return found;
}
