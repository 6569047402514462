/** Requests to the API server. Each has a time-out and ends with the caller's signal; errors are ApiErrors. */
import type { KubernetesListObject, KubernetesObject } from '@kubernetes/client-node';
import { type Dispatcher, request } from 'undici';
import type { Connection } from './connection.ts';
import { decode } from './decode.ts';
import { ApiError, errorOfStatus, isKind, type StatusBody } from './errors.ts';
import { Guard } from './guard.ts';
import { linesOf } from './lines.ts';
import { ListReader } from './list-reader.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Reach } from './reach.ts';
import { type PathParts, pathOf, type Resource } from './resources.ts';

export type RequestLog = { method: string; status: number | undefined; seconds: number };

export type ClientOptions = {
  connection: Connection;
  userAgent: string;
  /** Name of this writer in managedFields. */
  fieldManager: string;
  timeoutMs: number;
  limit?: RateLimit;
  /** Asked right before each write; false = this process may not write any more. */
  mayWrite?: () => boolean;
  onRequest?: (entry: RequestLog) => void;
};

type Query = Record<string, string | number | boolean | undefined>;
type Call = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  body?: object;
  contentType?: string;
};
export type Ref = { namespace?: string | undefined; name: string };
export type Page<T> = { objects: T[]; resourceVersion: string; token: string | undefined };
export type WatchLine = { type: string; object: KubernetesObject };

/** The object, or undefined where there is none. */
export async function find<T extends KubernetesObject>(
  client: Pick<Client, 'get'>,
  resource: Resource,
  ref: Ref,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await client.get<T>(resource, ref, signal);
  } catch (error) {
    if (isKind(error, 'NotFound')) return undefined;
    throw error;
  }
}

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get reach(): Reach {
    return this.#options.connection.reach;
  }

  async get<T extends KubernetesObject>(resource: Resource, ref: Ref, signal: AbortSignal): Promise<T> {
    return this.#object<T>(resource, { method: 'GET', path: pathOf(resource, ref) }, signal);
  }

  /**
   * One page of a consistent list, or all of it; `token` asks for the next one. `selector` is a label selector. Each object is
   * given to `keep` as it comes, and what that returns is in the page.
   */
  async listPage<T extends KubernetesObject, K>(
    resource: Resource,
    where: { namespace?: string | undefined; selector?: string | undefined; limit?: number; token?: string },
    keep: (object: T) => K,
    signal: AbortSignal,
  ): Promise<Page<K>> {
    const query = { labelSelector: where.selector, limit: where.limit, continue: where.token };
    const path = pathOf(resource, { namespace: where.namespace });
    const objects: K[] = [];
    const reader = new ListReader((text) => objects.push(keep(decode(JSON.parse(text) as T, resource))));
    const list = await this.#request({ method: 'GET', path, query }, signal, async ({ body }, guard) => {
      for await (const chunk of body) {
        // A large one may take its time, as long as something comes.
        guard.restart(this.#options.timeoutMs, `nothing came for ${this.#options.timeoutMs} ms`);
        reader.feed(chunk as Uint8Array);
      }
      return JSON.parse(reader.frame) as KubernetesListObject<T>;
    });
    const metadata = list.metadata as { resourceVersion?: string; continue?: string } | undefined;
    return {
      objects,
      resourceVersion: metadata?.resourceVersion ?? '',
      token: metadata?.continue || undefined,
    };
  }

  create<T extends KubernetesObject>(resource: Resource, object: T, signal: AbortSignal): Promise<T> {
    const path = pathOf(resource, { namespace: object.metadata?.namespace });
    return this.#write<T>(resource, { method: 'POST', path, body: object }, signal);
  }

  /** Replaces the object, or its status; a resourceVersion and UID in the metadata guard the write. */
  replace<T extends KubernetesObject>(
    resource: Resource,
    object: T,
    signal: AbortSignal,
    subresource?: 'status',
  ): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    const parts: PathParts = { namespace, name: name ?? '' };
    const path = pathOf(resource, subresource === undefined ? parts : { ...parts, subresource });
    return this.#write<T>(resource, { method: 'PUT', path, body: object }, signal);
  }

  /** JSON merge patch; a resourceVersion and UID in its metadata guard the write. */
  patch<T extends KubernetesObject>(
    resource: Resource,
    ref: Ref,
    patch: object,
    signal: AbortSignal,
  ): Promise<T> {
    const contentType = 'application/merge-patch+json';
    const path = pathOf(resource, ref);
    return this.#write<T>(resource, { method: 'PATCH', path, body: patch, contentType }, signal);
  }

  /** Deletes the object with this UID, and if given this version; its children are removed in the background. */
  async delete(
    resource: Resource,
    ref: Ref,
    preconditions: { uid: string; resourceVersion?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      propagationPolicy: 'Background',
    };
    await this.#json({ method: 'DELETE', path: pathOf(resource, ref), body }, signal);
  }

  /**
   * Opens a watch and yields its lines until the server closes it, the signal fires or nothing came for `idleMs`.
   * Throws on anything but a clean end.
   */
  async *watch(
    resource: Resource,
    where: { namespace?: string | undefined; selector?: string | undefined; resourceVersion: string },
    time: { timeoutSeconds: number; idleMs: number },
    signal: AbortSignal,
  ): AsyncGenerator<WatchLine> {
    const path = pathOf(resource, { namespace: where.namespace });
    const call: Call = {
      method: 'GET',
      path,
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: where.resourceVersion,
        labelSelector: where.selector,
        timeoutSeconds: time.timeoutSeconds,
      },
    };
    const guard = new Guard(`WATCH ${path}`, signal, this.#options.timeoutMs);
    try {
      const { body } = await this.#send(call, guard);
      guard.restart(time.idleMs, `nothing came for ${time.idleMs} ms`);
      for await (const line of linesOf(body)) {
        guard.restart(time.idleMs, `nothing came for ${time.idleMs} ms`);
        const event = JSON.parse(line) as WatchLine;
        yield event.type === 'ERROR' ? event : { ...event, object: decode(event.object, resource) };
      }
    } catch (cause) {
      throw guard.explain(cause);
    } finally {
      guard.end();
    }
  }

  #write<T extends KubernetesObject>(resource: Resource, call: Call, signal: AbortSignal): Promise<T> {
    const query = { ...call.query, fieldManager: this.#options.fieldManager };
    return this.#object<T>(resource, { ...call, query }, signal);
  }

  async #object<T extends KubernetesObject>(resource: Resource, call: Call, signal: AbortSignal): Promise<T> {
    return decode(await this.#json<T>(call, signal), resource);
  }

  #json<T>(call: Call, signal: AbortSignal): Promise<T> {
    return this.#request(call, signal, async ({ body }) => (await body.json()) as T);
  }

  async #request<T>(
    call: Call,
    signal: AbortSignal,
    read: (response: Dispatcher.ResponseData, guard: Guard) => Promise<T>,
  ): Promise<T> {
    await this.#options.limit?.take(signal);
    const guard = new Guard(`${call.method} ${call.path}`, signal, this.#options.timeoutMs);
    try {
      return await read(await this.#send(call, guard), guard);
    } catch (cause) {
      throw guard.explain(cause);
    } finally {
      guard.end();
    }
  }

  /** Sends the request and returns the answer if it is a good one. */
  async #send(call: Call, guard: Guard): Promise<Dispatcher.ResponseData> {
    const { connection, userAgent, mayWrite, onRequest } = this.#options;
    // Reading credentials may run a command, which may hang.
    const { dispatcher, headers } = await guard.unlessEnded(connection.access());
    if (call.method !== 'GET' && mayWrite?.() === false) {
      throw new ApiError('Aborted', `${guard.what}: not sent, the lease is no longer held`);
    }
    const started = performance.now();
    let status: number | undefined;
    try {
      const response = await request(`${connection.server}${call.path}${queryString(call.query)}`, {
        dispatcher,
        method: call.method,
        headers: {
          ...headers,
          accept: 'application/json',
          'user-agent': userAgent,
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: guard.signal,
        // The guard is the only time-out; those of undici would also end quiet watches.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      status = response.statusCode;
      if (status >= 200 && status < 300) return response;
      if (status === 401) connection.expire();
      throw await errorOfResponse(guard.what, response);
    } finally {
      if (status !== undefined) connection.reach.answered();
      onRequest?.({ method: call.method, status, seconds: (performance.now() - started) / 1000 });
    }
  }
}

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

async function errorOfResponse(what: string, response: Dispatcher.ResponseData): Promise<ApiError> {
  const text = await response.body.text();
  let body: StatusBody;
  try {
    body = JSON.parse(text) as StatusBody;
  } catch {
    body = { message: text.slice(0, 300) };
  }
  const retryAfter = response.headers['retry-after'];
  return errorOfStatus(
    what,
    response.statusCode,
    body ?? {},
    Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
  );
}
