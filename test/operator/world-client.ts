/** A client whose API server has one world: what decisions read anew comes from there, and is counted. */
import type { Observed } from '../../operator/decide/plan.ts';
import type { Client, Ref } from '../../operator/kube/client.ts';
import { ApiError } from '../../operator/kube/errors.ts';
import type { Resource } from '../../operator/kube/resources.ts';

export function worldClient({ job, runtime, batchJobs, pods }: Observed): {
  client: Client;
  asked: string[];
} {
  const asked: string[] = [];
  const lists: Record<string, unknown[]> = { Job: batchJobs, Pod: pods };
  const objects: Record<string, unknown> = { FineTuneJob: job, FineTuneRuntime: runtime };
  const client = {
    listPage: async ({ kind }: Resource) => {
      asked.push(`list ${kind}`);
      return { objects: lists[kind] };
    },
    get: async ({ kind }: Resource, { name }: Ref) => {
      asked.push(`get ${kind}`);
      if (objects[kind] === undefined) throw new ApiError('NotFound', name);
      return objects[kind];
    },
  };
  return { asked, client: client as unknown as Client };
}
