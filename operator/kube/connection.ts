/** Address, credentials and pooled connections of one API server. */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';

/** How long credentials are taken as current. client-node itself re-reads a mounted token each minute. */
const refreshMs = 10_000;

const poolOptions = {
  connections: 32,
  keepAliveTimeout: 60_000,
  keepAliveMaxTimeout: 300_000,
  pipelining: 1,
};

export type Access = { dispatcher: Dispatcher; headers: Record<string, string> };

type Options = {
  config: KubeConfig;
  /** Called for each new TCP or TLS connection. */
  onConnect?: () => void;
  now?: () => number;
};

export class Connection {
  readonly #config: KubeConfig;
  readonly #onConnect: () => void;
  readonly #now: () => number;
  #access: (Access & { digest: string; readAt: number }) | undefined;

  constructor({ config, onConnect = () => {}, now = () => performance.now() }: Options) {
    this.#config = config;
    this.#onConnect = onConnect;
    this.#now = now;
  }

  /** URL of the server without a slash at the end; may have a path. */
  get server(): string {
    const server = this.#config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error('the kubeconfig has no current cluster');
    return server.replace(/\/+$/, '');
  }

  /** Forget the credentials, because the server refused them. */
  expire(): void {
    if (this.#access !== undefined) this.#access.readAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Credentials and the pool of connections. The pool lives until the CA or the client certificate changes: a new one
   * per request, as client-node makes it, costs a TLS handshake each time.
   */
  async access(): Promise<Access> {
    const current = this.#access;
    if (current !== undefined && this.#now() - current.readAt < refreshMs) return current;
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      // A file that is just being rotated: the old credentials are good for a moment longer.
      if (current !== undefined && Number.isFinite(current.readAt)) return current;
      throw cause;
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = `${value}`.trim();
    if (options.auth) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const digest = digestOf(options);
    const kept = current?.digest === digest ? current.dispatcher : undefined;
    const dispatcher = kept ?? this.#open(options);
    this.#access = { dispatcher, headers, digest, readAt: this.#now() };
    // Waits for the requests that are under way, watches included.
    if (kept === undefined && current !== undefined) void current.dispatcher.close().catch(() => {});
    return this.#access;
  }

  async close(): Promise<void> {
    await this.#access?.dispatcher.destroy();
    this.#access = undefined;
  }

  #open(options: RequestOptions): Dispatcher {
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(
        ([, value]) => value !== undefined,
      ),
    );
    const wanted = this.#config.createDispatcherOptions(this.#config.getCurrentCluster(), tls);
    if (wanted.type === 'socks')
      throw new Error(`proxy ${wanted.uri}: SOCKS is not supported, use an HTTP proxy`);
    const dispatcher =
      wanted.type === 'proxy'
        ? new ProxyAgent({
            ...poolOptions,
            uri: wanted.uri,
            requestTls: wanted.requestTls as buildConnector.BuildOptions,
          })
        : new Agent({
            ...poolOptions,
            connect: wanted.type === 'agent' ? (wanted.connect as buildConnector.BuildOptions) : {},
          });
    dispatcher.on('connect', this.#onConnect);
    return dispatcher;
  }
}

function digestOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [ca, cert, key, rejectUnauthorized, servername]) hash.update(`${part}`).update('\0');
  return hash.digest('hex');
}
