/**
 * A small HTTP server that lists and watches pods as the API server does, and misbehaves when told to. For the one
 * thing that a healthy API server cannot show: what happens on the wire when it is not.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, type V1Pod } from '@kubernetes/client-node';

/** One misbehaviour, used up by the next request of its kind. */
export type Fault = {
  on: 'list' | 'watch';
  /** Good answers of this kind before it. */
  after?: number;
  how:
    | '500'
    | '429'
    | '410'
    | 'reset'
    | 'hang'
    | 'close'
    /** list only: half an answer and a cut, an answer object by object with a pause after each. */
    | 'half-list'
    | 'slow'
    /** watch only: an ERROR event, half an event and a cut, an open watch that stays silent. */
    | 'error-event'
    | 'gone-event'
    | 'half-line'
    | 'silence';
};

type Event = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: V1Pod };

/** After each object of a slow list. */
export const slowMs = 200;

export class FaultServer {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #pods = new Map<string, V1Pod>();
  readonly #log: { version: number; event: Event }[] = [];
  readonly #watchers = new Set<{ response: ServerResponse; after: number }>();
  #version = 100;
  #oldest = 0;
  faults: Fault[] = [];
  /** Whether a slow answer is under way. */
  isAnswering = false;
  /** Requests by kind, with the time at which each came. */
  readonly requests: { kind: 'list' | 'watch'; at: number; url: URL }[] = [];

  async start(): Promise<KubeConfig> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: 'u', token: 'secret' },
    );
    return config;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** name -> UID of what exists. */
  get state(): Record<string, string> {
    return Object.fromEntries([...this.#pods].map(([name, pod]) => [name, pod.metadata!.uid!]).sort());
  }

  put(name: string, uid: string): void {
    const type = this.#pods.has(name) ? 'MODIFIED' : 'ADDED';
    const object = { metadata: { namespace: 'n', name, uid, resourceVersion: `${++this.#version}` } };
    this.#pods.set(name, object);
    this.#emit({ type, object });
  }

  remove(name: string): void {
    const known = this.#pods.get(name)!;
    this.#pods.delete(name);
    const object = { metadata: { ...known.metadata, resourceVersion: `${++this.#version}` } };
    this.#emit({ type: 'DELETED', object });
  }

  /** As etcd does: versions before now cannot be watched any more. */
  compact(): void {
    this.#oldest = this.#version;
  }

  #emit(event: Event): void {
    this.#log.push({ version: this.#version, event });
    for (const { response } of this.#watchers) response.write(`${JSON.stringify(event)}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://x');
    const kind = url.searchParams.get('watch') === 'true' ? 'watch' : 'list';
    this.requests.push({ kind, at: performance.now(), url });
    const at = this.faults.findIndex(({ on }) => on === kind);
    const wait = this.faults[at]?.after ?? 0;
    if (wait > 0) this.faults[at]!.after = wait - 1;
    else if (at >= 0) {
      const [fault] = this.faults.splice(at, 1);
      if (fault!.how === 'slow') void this.#listSlowly(url, response);
      else if (fault!.how === 'half-list') cut(this.#listed(url), response);
      else misbehave(fault!.how, response);
      return;
    }
    if (kind === 'list') response.end(this.#listed(url));
    else this.#watch(url, response);
  }

  #listed(url: URL): string {
    const limit = Number(url.searchParams.get('limit') ?? Number.POSITIVE_INFINITY);
    const start = Number(url.searchParams.get('continue') ?? 0);
    const items = [...this.#pods.values()];
    const more = start + limit < items.length;
    const metadata = { resourceVersion: `${this.#version}`, continue: more ? `${start + limit}` : '' };
    return JSON.stringify({ kind: 'PodList', metadata, items: items.slice(start, start + limit) });
  }

  async #listSlowly(url: URL, response: ServerResponse): Promise<void> {
    this.isAnswering = true;
    for (const part of this.#listed(url).split(/(?<=\}\}),/)) {
      response.write(`${part.startsWith('{"kind"') ? '' : ','}${part}`);
      await sleep(slowMs);
    }
    this.isAnswering = false;
    response.end();
  }

  #watch(url: URL, response: ServerResponse): void {
    const after = Number(url.searchParams.get('resourceVersion'));
    if (after < this.#oldest) {
      sendStatus(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const { version, event } of this.#log) {
      if (version > after) response.write(`${JSON.stringify(event)}\n`);
    }
    const watcher = { response, after };
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }
}

function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(code, headers)
    .end(JSON.stringify({ kind: 'Status', code, reason, message: 'on purpose' }));
}

function cut(text: string, response: ServerResponse): void {
  response.writeHead(200);
  response.write(text.slice(0, text.length / 2), () => response.socket?.destroy());
}

function misbehave(how: Exclude<Fault['how'], 'slow' | 'half-list'>, response: ServerResponse): void {
  const event = (object: object) => `${JSON.stringify({ type: 'ERROR', object })}\n`;
  switch (how) {
    case '500':
      sendStatus(response, 500, 'InternalError');
      return;
    case '429':
      sendStatus(response, 429, 'TooManyRequests', { 'retry-after': '1' });
      return;
    case '410':
      sendStatus(response, 410, 'Expired');
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'close':
      response.writeHead(200).end();
      return;
    case 'error-event':
      response.writeHead(200).end(event({ kind: 'Status', code: 500, message: 'etcd is ill' }));
      return;
    case 'gone-event':
      response.writeHead(200).end(event({ kind: 'Status', code: 410, reason: 'Expired' }));
      return;
    case 'half-line':
      response.writeHead(200);
      response.write('{"type":"ADDED","object":{"metadata":{"na', () => response.socket?.destroy());
      return;
    case 'silence':
      response.writeHead(200);
      response.flushHeaders();
      return;
  }
}
