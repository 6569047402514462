/** A proxy between the operator and a real API server that records each request, and can hold requests and silence watches. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Recorded = {
  method: string;
  path: string;
  watch: boolean;
  userAgent: string;
  status: number | undefined;
};

export class RecordingProxy {
  readonly #upstream: URL;
  readonly #agent: Agent;
  readonly #server = createServer((incoming, response) => this.#forward(incoming, response));
  readonly requests: Recorded[] = [];
  readonly #held: (() => void)[] = [];
  /** Which requests wait, as with an API server that hangs, until `release`. */
  holds: (request: Recorded) => boolean = () => false;
  /** Plurals of resources of which open watches bring nothing, as if the way to them were cut. */
  readonly silent = new Set<string>();
  /** TCP connections that were opened to the proxy. */
  connections = 0;

  constructor(upstream: string, ca: string) {
    this.#upstream = new URL(upstream);
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(ca) });
    // As the API server: the default of Node.js is far shorter.
    this.#server.keepAliveTimeout = 90_000;
    this.#server.on('connection', () => this.connections++);
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that change something, the lease left out. */
  get writes(): Recorded[] {
    return this.requests.filter(({ method, path }) => method !== 'GET' && !path.includes('/leases'));
  }

  /** Until nobody has written for a while. */
  async quiet(): Promise<void> {
    for (let count = -1; count !== this.writes.length; await sleep(1500)) count = this.writes.length;
  }

  /** Requests that wait. */
  get held(): number {
    return this.#held.length;
  }

  /** Lets all go on, and holds none any more. */
  release(): void {
    this.holds = () => false;
    for (const goOn of this.#held.splice(0)) goOn();
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    const url = new URL(incoming.url ?? '/', this.#upstream);
    const record: Recorded = {
      method: incoming.method ?? '',
      path: url.pathname,
      watch: url.searchParams.has('watch'),
      userAgent: incoming.headers['user-agent'] ?? '',
      status: undefined,
    };
    this.requests.push(record);
    const goOn = () => this.#send(url, record, incoming, response);
    if (this.holds(record)) this.#held.push(goOn);
    else goOn();
  }

  #send(url: URL, record: Recorded, incoming: IncomingMessage, response: ServerResponse): void {
    // Who waited for it may be gone.
    if (response.destroyed) return;
    const { method, headers } = incoming;
    const options = { method, headers: { ...headers, host: this.#upstream.host }, agent: this.#agent };
    const outgoing = request(url, options, (answer) => {
      record.status = answer.statusCode;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      if (record.watch) {
        const plural = url.pathname.split('/').at(-1) ?? '';
        answer.on('data', (chunk) => this.silent.has(plural) || response.write(chunk));
        answer.on('end', () => response.end());
      } else {
        answer.pipe(response);
      }
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }
}
