/** A FineTuneJob whose every pass fails: an admission policy refuses its Jobs, and somebody touches it all the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { labels } from '../../operator/manifests/names.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { job as smallestJob } from '../../test/crds/objects.ts';
import { collections, type DirectApi, pathOf, Refusal } from '../../test/faults/direct-api.ts';

const name = 'poisoned';
const touchesPerSecond = 20;
const policies = '/apis/admissionregistration.k8s.io/v1';

export class Poison {
  readonly #api: DirectApi;
  readonly #namespace: string;
  readonly #end = new AbortController();
  #touching: Promise<void> | undefined;

  private constructor(api: DirectApi, namespace: string) {
    this.#api = api;
    this.#namespace = namespace;
  }

  /** Makes the job; needs the policy. */
  static async start(api: DirectApi, namespace: string): Promise<Poison> {
    const poison = new Poison(api, namespace);
    await api.call('POST', pathOf(collections.fineTuneJobs, namespace), smallestJob({}, name));
    poison.#touching = poison.#touch();
    return poison;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#touching;
    await this.#api.call('DELETE', pathOf(collections.fineTuneJobs, this.#namespace, name));
  }

  async #touch(): Promise<void> {
    const path = pathOf(collections.fineTuneJobs, this.#namespace, name);
    for (let i = 0; !this.#end.signal.aborted; i++) {
      await this.#api.call('PATCH', path, { metadata: { annotations: { touch: String(i) } } });
      await sleep(1000 / touchesPerSecond);
    }
  }
}

/** Refuses the Jobs of the poisoned job from now on. */
export async function refuseItsJobs(api: DirectApi, namespace: string): Promise<void> {
  const metadata = { name: 'poison' };
  const expression = `object.metadata.?labels['${labels.job}'].orValue('') != '${name}'`;
  await api.call('POST', `${policies}/validatingadmissionpolicies`, {
    metadata,
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] },
        ],
      },
      validations: [{ expression }],
    },
  });
  await api.call('POST', `${policies}/validatingadmissionpolicybindings`, {
    metadata,
    spec: { policyName: 'poison', validationActions: ['Deny'] },
  });
  await waitFor('the policy', () => isRefused(api, namespace), { timeoutMs: 30_000 });
}

async function isRefused(api: DirectApi, namespace: string): Promise<boolean> {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
  const trial = { metadata: { name: 'trial', labels: { [labels.job]: name } }, spec: { template } };
  try {
    await api.call('POST', `${pathOf(collections.jobs, namespace)}?dryRun=All`, trial);
    return false;
  } catch (error) {
    if (error instanceof Refusal && error.status === 422) return true;
    throw error;
  }
}
