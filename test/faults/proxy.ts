/** Between one operator process and the API server: forwards everything, and misbehaves once where the striker says so. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Access } from './direct-api.ts';
import type { OpenFault, Strikes, WriteFault } from './faults.ts';
import { eventNameOf, type Incoming, type Named, nameOf, type Watched } from './requests.ts';
import { relay } from './watch-relay.ts';

type Options = {
  access: Access;
  striker: Strikes;
  /** SIGKILL for the operator of this proxy, and a new one. */
  kill: () => void;
  /** Restarts the API server; resolves when it answers again. */
  restartServer: (how: 'restart' | 'restart-compacted') => Promise<void>;
  /** Whether what the API server refuses is for lack of rights. */
  isServerReady: () => boolean;
};

type Exchange = { incoming: IncomingMessage; response: ServerResponse; asked: Incoming };
type Answer = { status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer };

/** How long the lists and watches of a stale start lag behind. */
const staleMs = 1000;

export class FaultProxy {
  readonly #options: Options;
  readonly #agent: Agent;
  readonly #server = createServer((incoming, response) => {
    this.#take(incoming, response).catch(() => response.destroy());
  });
  /** Set by a stale restart: the version that lists show until `until`. */
  #stale: { version: string; until: number } | undefined;
  /** Writes that were answered with the version that they came with: they changed nothing. */
  idleWrites: string[] = [];
  /** Answers 401 and 403 of a server that was ready. */
  refused: string[] = [];
  requests = 0;

  constructor(options: Options) {
    this.#options = options;
    const { ca } = options.access;
    this.#agent = new Agent({ keepAlive: true, ca });
    this.#server.keepAliveTimeout = 90_000;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const body = (await buffer(incoming)).toString();
    const url = new URL(incoming.url ?? '/', this.#options.access.server);
    const exchange = { incoming, response, asked: { method: incoming.method ?? '', url, body } };
    const named = nameOf(exchange.asked);
    if (named.kind === 'write') await this.#write(exchange, named);
    else if (named.kind === 'other') reply(response, await this.#ask(exchange));
    else await this.#open(exchange, named);
  }

  async #write(exchange: Exchange, { id }: Extract<Named, { kind: 'write' }>): Promise<void> {
    const { striker, kill, restartServer } = this.#options;
    const { response, asked } = exchange;
    const how = striker.atWrite(id);
    if (how === 'restart' || how === 'restart-compacted') {
      await restartServer(how);
      response.destroy();
    } else if (how === 'kill-before') kill();
    else if (how === undefined || isCommitted(how)) {
      const before = how === 'kill-stale' ? await this.#version(exchange) : '';
      const isReady = this.#options.isServerReady();
      const answer = await this.#ask(exchange);
      this.#note(id, asked, answer, isReady);
      if (how === 'kill-stale') this.#stale = { version: before, until: Number.POSITIVE_INFINITY };
      this.#afterCommit(how, response, answer, kill);
    } else misbehave(how, exchange);
  }

  #afterCommit(
    how: WriteFault | undefined,
    response: ServerResponse,
    answer: Answer,
    kill: () => void,
  ): void {
    if (how === 'hang-committed') return;
    if (how === 'kill-unanswered') kill();
    else if (how === 'reset-committed') response.socket?.resetAndDestroy();
    else if (how === 'half') half(response, answer);
    else {
      if (how !== undefined) response.once('finish', kill);
      reply(response, answer);
    }
  }

  async #open(
    exchange: Exchange,
    { kind, resource }: { kind: 'list' | 'watch'; resource: Watched },
  ): Promise<void> {
    const { striker } = this.#options;
    const how = striker.atOpen(kind, resource);
    if (how === 'half')
      half(exchange.response, { status: 200, headers: {}, body: Buffer.from('{"kind":"List"') });
    else if (how !== undefined) misbehave(how, exchange);
    else if (kind === 'list') await this.#list(exchange, resource);
    else await this.#watch(exchange, resource);
  }

  async #list(exchange: Exchange, resource: Watched): Promise<void> {
    const { searchParams } = exchange.asked.url;
    if (this.#stale !== undefined && resource !== 'finetuneruntimes') {
      if (this.#stale.until === Number.POSITIVE_INFINITY) this.#stale.until = performance.now() + staleMs;
      searchParams.set('resourceVersion', this.#stale.version);
      searchParams.set('resourceVersionMatch', 'Exact');
    }
    reply(exchange.response, await this.#ask(exchange));
  }

  async #watch({ incoming, response, asked }: Exchange, resource: Watched): Promise<void> {
    const { striker } = this.#options;
    const lagMs = Math.max(0, (this.#stale?.until ?? 0) - performance.now());
    if (lagMs > 0) await new Promise((resolve) => setTimeout(resolve, lagMs));
    this.#stale = undefined;
    const outgoing = request(
      asked.url,
      { headers: this.#headers(incoming), agent: this.#agent },
      (answer) => {
        relay({ answer, response, faultOf: (line) => striker.atEvent(eventNameOf(resource, line)) });
      },
    );
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    outgoing.end();
  }

  /** The newest version of everything. */
  async #version({ incoming }: Exchange): Promise<string> {
    const url = new URL('/apis/batch/v1/jobs?limit=1', this.#options.access.server);
    const { body } = await this.#ask({ incoming, asked: { method: 'GET', url, body: '' } });
    return (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata
      .resourceVersion;
  }

  #ask({ incoming, asked: { method, url, body } }: Omit<Exchange, 'response'>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Without it the body of a DELETE would be lost.
      const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
      const headers = { ...this.#headers(incoming), ...length };
      const outgoing = request(url, { method, headers, agent: this.#agent }, (answer) => {
        buffer(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
          reject,
        );
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  #headers({ headers }: IncomingMessage) {
    const { host: _, connection: __, 'transfer-encoding': ___, 'content-length': ____, ...kept } = headers;
    return kept;
  }

  #note(
    id: string,
    { method, url, body }: Incoming,
    { status, body: answer }: Answer,
    isReady: boolean,
  ): void {
    if (isReady && (status === 401 || status === 403)) this.refused.push(`${method} ${url.pathname}`);
    if (method !== 'PUT' || status !== 200 || id.startsWith('lease')) return;
    const version = (text: string) =>
      (JSON.parse(text) as { metadata: { resourceVersion?: string } }).metadata.resourceVersion;
    if (version(body) === version(answer.toString())) this.idleWrites.push(id);
  }
}

function isCommitted(how: WriteFault): boolean {
  return how.startsWith('kill') || how.endsWith('-committed') || how === 'half';
}

function reply(response: ServerResponse, { status, headers, body }: Answer): void {
  const { connection: _, 'transfer-encoding': __, ...kept } = headers;
  response.writeHead(status, { ...kept, 'content-length': body.length }).end(body);
}

/** The head of the answer promises more than comes. */
function half(response: ServerResponse, { status, headers, body }: Answer): void {
  const { connection: _, 'transfer-encoding': __, ...kept } = headers;
  response.writeHead(status, { ...kept, 'content-length': body.length + 1 });
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.socket?.resetAndDestroy());
}

const reasons: Record<string, string> = {
  '409': 'Conflict',
  '410': 'Expired',
  '429': 'TooManyRequests',
  '500': 'InternalError',
  '503': 'ServiceUnavailable',
};

/** Answers without having asked the API server. */
function misbehave(how: WriteFault | OpenFault, { response }: Exchange): void {
  const reason = reasons[how];
  if (reason !== undefined) {
    const code = Number(how);
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason,
      code,
      message: 'by the fault proxy',
    };
    const retry = code === 429 || code === 503 ? { 'retry-after': '1' } : {};
    response.writeHead(code, { 'content-type': 'application/json', ...retry }).end(JSON.stringify(status));
  } else if (how === 'reset') response.socket?.resetAndDestroy();
  else if (how === 'close') response.socket?.end();
}
