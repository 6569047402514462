/** The test's own way to the API server: as administrator, past the fault proxy, with no code of the operator in it. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { KubeConfig, type V1Status } from '@kubernetes/client-node';
import { Agent, request } from 'undici';

/** A kind, by the path of its collection without the namespace. */
export type Collection = { prefix: string; plural: string; kind: string };

export const collections = {
  fineTuneJobs: { prefix: '/apis/finetune.dev/v1alpha1', plural: 'finetunejobs', kind: 'FineTuneJob' },
  jobs: { prefix: '/apis/batch/v1', plural: 'jobs', kind: 'Job' },
  pods: { prefix: '/api/v1', plural: 'pods', kind: 'Pod' },
} as const satisfies Record<string, Collection>;

export class Refusal extends Error {
  readonly status: number;
  /** Paths of what it refuses, where it names them. */
  readonly fields: readonly string[];

  constructor(what: string, status: number, text: string) {
    super(`${what}: ${status} ${text.slice(0, 400)}`);
    this.status = status;
    this.fields = fieldsIn(text);
  }
}

function fieldsIn(text: string): string[] {
  try {
    const { details, message } = JSON.parse(text) as V1Status;
    // "<nil>" says that rules were not looked at because of the others.
    const named = details?.causes?.flatMap(({ field }) => (field === '<nil>' ? [] : [field ?? '']));
    // A field that the definition does not know has no cause of its own.
    return (
      named ??
      [...(message ?? '').matchAll(/(?:unknown|duplicate) field "([^"]+)"/g)].map((found) => found[1]!)
    );
  } catch {
    return [];
  }
}

export type Access = { server: string; ca: string; cert: string; key: string };

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** An API server is back within half a minute. */
const patienceMs = 60_000;

const jsonOf = (patch: boolean) => (patch ? 'application/merge-patch+json' : 'application/json');

export class DirectApi {
  readonly access: Access;
  readonly #agent: Agent;

  constructor(kubeconfig: string) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const cluster = config.getCurrentCluster();
    const user = config.getCurrentUser();
    const text = (base64 = '') => Buffer.from(base64, 'base64').toString();
    this.access = {
      server: cluster?.server ?? '',
      ca: text(cluster?.caData),
      cert: text(user?.certData),
      key: text(user?.keyData),
    };
    const { ca, cert, key } = this.access;
    this.#agent = new Agent({
      connections: 64,
      connect: { ca, cert, key },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Tries again while the server is away. @throws Refusal on any answer but 2xx */
  async call<T>(method: Method, path: string, body?: object): Promise<T> {
    const end = performance.now() + patienceMs;
    for (;;) {
      try {
        return await this.#once<T>(method, path, body);
      } catch (error) {
        const isFinal = error instanceof Refusal && error.status < 500 && error.status !== 429;
        if (isFinal || performance.now() > end) throw error;
        await sleep(200);
      }
    }
  }

  async #once<T>(method: Method, path: string, body?: object): Promise<T> {
    const { statusCode, body: answer } = await request(`${this.access.server}${path}`, {
      dispatcher: this.#agent,
      method,
      headers: { accept: 'application/json', 'content-type': jsonOf(method === 'PATCH') },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw new Refusal(`${method} ${path}`, statusCode, text);
    return JSON.parse(text) as T;
  }

  async list({ prefix, plural }: Collection): Promise<{ objects: KubernetesObject[]; version: string }> {
    type List = { items: KubernetesObject[]; metadata: { resourceVersion: string } };
    const { items, metadata } = await this.call<List>('GET', `${prefix}/${plural}`);
    return { objects: items, version: metadata.resourceVersion };
  }

  /** Events of all namespaces from `version` on, until the server ends the watch or the signal fires. */
  async *watch(
    { prefix, plural }: Collection,
    version: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ type: string; object: KubernetesObject }> {
    const path = `${prefix}/${plural}?watch=true&allowWatchBookmarks=true&resourceVersion=${version}`;
    const { statusCode, body } = await request(`${this.access.server}${path}`, {
      dispatcher: this.#agent,
      signal,
    });
    if (statusCode !== 200) throw new Refusal(`WATCH ${plural}`, statusCode, await body.text());
    for await (const line of createInterface({ input: Readable.from(body) })) yield JSON.parse(line);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

export function pathOf({ prefix, plural }: Collection, namespace: string, name?: string): string {
  return `${prefix}/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`;
}
