/** A FineTuneJob whose every pass fails: an admission policy refuses its status, and somebody touches it all the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { group, jobResource, version } from '../../crds/crd.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { job as smallestJob } from '../../test/crds/objects.ts';
import { collections, type DirectApi, pathOf, Refusal } from '../../test/faults/direct-api.ts';

const name = 'poisoned';
const policy = 'refuse-status-of-poisoned';
const touchesPerSecond = 20;
const policies = '/apis/admissionregistration.k8s.io/v1';

export class Poison {
  readonly #api: DirectApi;
  readonly #path: string;
  readonly #end = new AbortController();
  #touching: Promise<void> | undefined;

  private constructor(api: DirectApi, path: string) {
    this.#api = api;
    this.#path = path;
  }

  /** Makes the job; needs the policy. */
  static async start(api: DirectApi, namespace: string): Promise<Poison> {
    const path = pathOf(collections.fineTuneJobs, namespace, name);
    const poison = new Poison(api, path);
    await api.call('POST', pathOf(collections.fineTuneJobs, namespace), smallestJob({}, name));
    await waitFor('the policy', () => isRefused(api, path), { timeoutMs: 30_000 });
    poison.#touching = poison.#touch();
    return poison;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#touching;
    await this.#api.call('DELETE', this.#path);
  }

  async #touch(): Promise<void> {
    for (let i = 0; !this.#end.signal.aborted; i++) {
      await this.#api.call('PATCH', this.#path, { metadata: { annotations: { touch: String(i) } } });
      await sleep(1000 / touchesPerSecond);
    }
  }
}

/** Refuses what is said of the poisoned job, from now on or soon. */
export async function refuseItsStatus(api: DirectApi): Promise<void> {
  const metadata = { name: policy };
  const resources = [`${jobResource.plural}/status`];
  const rule = { apiGroups: [group], apiVersions: [version], operations: ['UPDATE'], resources };
  await api.call('POST', `${policies}/validatingadmissionpolicies`, {
    metadata,
    spec: {
      matchConstraints: { resourceRules: [rule] },
      validations: [{ expression: `object.metadata.name != '${name}'` }],
    },
  });
  await api.call('POST', `${policies}/validatingadmissionpolicybindings`, {
    metadata,
    spec: { policyName: policy, validationActions: ['Deny'] },
  });
}

async function isRefused(api: DirectApi, path: string): Promise<boolean> {
  try {
    await api.call('PATCH', `${path}/status?dryRun=All`, { status: { observedGeneration: 1 } });
    return false;
  } catch (error) {
    if (error instanceof Refusal && error.status === 422 && error.message.includes(policy)) return true;
    throw error;
  }
}
