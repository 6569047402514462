/** Between one operator process and the API server: forwards everything, and misbehaves once where the striker says so. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { Aftermath } from './aftermath.ts';
import { type Answer, half, misbehave, reply } from './answers.ts';
import type { Access } from './direct-api.ts';
import type { EventFault, Strikes, WriteFault } from './faults.ts';
import { eventNameOf, type Incoming, type Named, nameOf, type Watched, watched } from './requests.ts';
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

/** How long the lists and watches of a stale start lag behind. */
const staleMs = 1000;

export class FaultProxy {
  readonly #options: Options;
  readonly #agent: Agent;
  readonly #server = createServer((incoming, response) => {
    this.#take(incoming, response).catch(() => response.destroy());
  });
  /** Set by a stale restart: the version that the first list of each resource shows, and until when its watch waits. */
  readonly #stale = new Map<Watched, { version: string; until: number }>();
  readonly aftermath = new Aftermath();
  /** Lists that showed an older version. */
  staleLists = 0;
  /** Writes that were answered with the version that they came with: they changed nothing. */
  idleWrites: string[] = [];
  /** Patches that changed nothing. */
  idlePatches: string[] = [];
  /** Writes to what no FineTuneJob controls. */
  foreignWrites: string[] = [];
  /** Answers 401 and 403 of a server that was ready. */
  refused: string[] = [];
  /** All that came, watches and leases too. */
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
    else if (named.kind === 'read') await this.#read(exchange, named.id);
    else await this.#open(exchange, named);
  }

  async #write(exchange: Exchange, { id }: Extract<Named, { kind: 'write' }>): Promise<void> {
    const { striker, kill, restartServer } = this.#options;
    const { response } = exchange;
    const how = striker.atWrite(id);
    if (how !== undefined) this.aftermath.begin(how, id);
    if (how === 'restart' || how === 'restart-compacted') {
      await restartServer(how);
      response.destroy();
    } else if (how === 'kill-before') kill();
    else if (how === undefined || isCommitted(how)) {
      const before = how === 'kill-stale' ? await this.#version(exchange) : '';
      const answer = await this.#judged(id, exchange);
      if (how === undefined) this.aftermath.answered(id);
      if (how === 'kill-stale') {
        const lag = { version: before, until: Number.POSITIVE_INFINITY };
        // Nobody writes runtimes here.
        for (const resource of watched) if (resource !== 'finetuneruntimes') this.#stale.set(resource, lag);
      }
      this.#afterCommit(how, response, answer, kill);
    } else misbehave(how, exchange.response);
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

  async #read(exchange: Exchange, id: string): Promise<void> {
    const how = this.#options.striker.atRead(id);
    if (how !== undefined) this.aftermath.begin(how, id);
    if (how !== undefined && how !== 'half') return misbehave(how, exchange.response);
    const answer = await this.#ask(exchange);
    if (how === 'half') return half(exchange.response, answer);
    this.aftermath.answered(id);
    reply(exchange.response, answer);
  }

  async #open(
    exchange: Exchange,
    { kind, resource }: { kind: 'list' | 'watch'; resource: Watched },
  ): Promise<void> {
    const { striker } = this.#options;
    const how = striker.atOpen(kind, resource);
    if (how !== undefined) this.aftermath.begin(how, `${kind}-${resource}`);
    if (how === 'half')
      half(exchange.response, { status: 200, headers: {}, body: Buffer.from('{"kind":"List"') });
    else if (how !== undefined) misbehave(how, exchange.response);
    else if (kind === 'list') await this.#list(exchange, resource);
    else await this.#watch(exchange, resource);
  }

  async #list(exchange: Exchange, resource: Watched): Promise<void> {
    const { searchParams } = exchange.asked.url;
    // What is known of all may lag; children of one job are asked for where that is not enough, and read as they are.
    const isOfOne = searchParams.get('labelSelector')?.includes('=') === true;
    const stale = isOfOne ? undefined : this.#stale.get(resource);
    if (stale !== undefined) {
      if (stale.until === Number.POSITIVE_INFINITY) stale.until = performance.now() + staleMs;
      searchParams.set('resourceVersion', stale.version);
      searchParams.set('resourceVersionMatch', 'Exact');
      this.staleLists++;
    }
    const answer = await this.#ask(exchange);
    if (answer.status === 200) this.aftermath.answered(`list-${resource}`);
    reply(exchange.response, answer);
  }

  async #watch({ incoming, response, asked }: Exchange, resource: Watched): Promise<void> {
    const until = this.#stale.get(resource)?.until ?? 0;
    // A watch that opens before any list is that of the process that is being killed.
    if (until !== Number.POSITIVE_INFINITY) {
      if (until > performance.now()) await sleep(until - performance.now());
      this.#stale.delete(resource);
    }
    const outgoing = request(
      asked.url,
      { headers: this.#headers(incoming), agent: this.#agent },
      (answer) => {
        if (answer.statusCode === 200 && !this.#stale.has(resource))
          this.aftermath.answered(`watch-${resource}`);
        relay({
          answer,
          response,
          faultOf: (line) => this.#atEvent(eventNameOf(resource, line)),
          released: () => this.aftermath.answered('released'),
        });
      },
    );
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    outgoing.end();
  }

  #atEvent(name: string): EventFault | undefined {
    const how = this.#options.striker.atEvent(name);
    if (how !== undefined) this.aftermath.begin(how, name);
    return how;
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

  /** The answer of the API server to a write; what is wrong with the write is noted. */
  async #judged(id: string, exchange: Exchange): Promise<Answer> {
    const { method, url, body } = exchange.asked;
    const isReady = this.#options.isServerReady();
    const isJob = id.includes('-job-');
    const before = isJob && method !== 'POST' ? await this.#stored(exchange) : objectIn(body);
    const answer = await this.#ask(exchange);
    const { status } = answer;
    if (isReady && (status === 401 || status === 403)) this.refused.push(`${method} ${url.pathname}`);
    if (status >= 300) return answer;
    if (isJob && !isControlled(before)) this.foreignWrites.push(id);
    const versionOf = (object: KubernetesObject | undefined) => object?.metadata?.resourceVersion;
    const isIdle = versionOf(before) === versionOf(objectIn(answer.body.toString()));
    if (isIdle && method === 'PUT' && !id.startsWith('lease')) this.idleWrites.push(id);
    if (isIdle && method === 'PATCH' && isJob) this.idlePatches.push(id);
    return answer;
  }

  /** What a write is about to change; undefined = it is gone. */
  async #stored({ incoming, asked }: Exchange): Promise<KubernetesObject | undefined> {
    const url = new URL(asked.url.pathname, asked.url);
    const { status, body } = await this.#ask({ incoming, asked: { method: 'GET', url, body: '' } });
    return status === 200 ? objectIn(body.toString()) : undefined;
  }
}

function objectIn(text: string): KubernetesObject | undefined {
  return text === '' ? undefined : (JSON.parse(text) as KubernetesObject);
}

function isControlled(object: KubernetesObject | undefined): boolean {
  return (
    object?.metadata?.ownerReferences?.some((one) => one.controller && one.kind === 'FineTuneJob') === true
  );
}

function isCommitted(how: WriteFault): boolean {
  return how.startsWith('kill') || how.endsWith('-committed') || how === 'half';
}
