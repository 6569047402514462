/** Address, credentials and pooled connections of one API server. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import { Reach } from './reach.ts';

/** How long credentials are taken as current, unless the server refuses them. */
const refreshMs = 10_000;

const poolOptions = {
  // A request that is given up takes its connection with it, so the next one has another. With HTTP/2 it ends one stream of the
  // connection that all share: where a connection is lost without a word, each later request, watch and renewal would be too.
  allowH2: false,
  keepAliveTimeout: 60_000,
  keepAliveMaxTimeout: 300_000,
  pipelining: 1,
};

export type Access = { dispatcher: Dispatcher; headers: Record<string, string> };
type Current = Access & { digest: string; readAt: number };

type Options = {
  config: KubeConfig;
  /** At most so many at the same time; each request under way has one, each open watch too. */
  connections?: number;
  /** Called for each new TCP or TLS connection. */
  onConnect?: () => void;
  now?: () => number;
};

export class Connection {
  readonly reach = new Reach();
  readonly #config: KubeConfig;
  readonly #onConnect: () => void;
  readonly #now: () => number;
  readonly #connections: number;
  #access: Current | undefined;
  /** The credentials that are being read, for all who ask meanwhile. */
  #reading: { since: number; access: Promise<Current> } | undefined;
  #closed = false;

  constructor({ config, connections = 32, onConnect = () => {}, now = () => performance.now() }: Options) {
    this.#config = config;
    this.#connections = connections;
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
    const now = this.#now();
    if (this.#access !== undefined && now - this.#access.readAt < refreshMs) return this.#access;
    // One that hangs, such as a command for credentials, is not waited for again.
    if (this.#reading === undefined || now - this.#reading.since >= refreshMs) {
      const reading = { since: now, access: this.#read() };
      this.#reading = reading;
      const end = () => {
        if (this.#reading === reading) this.#reading = undefined;
      };
      reading.access.then(end, end);
    }
    return this.#reading.access;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#access?.dispatcher.destroy();
    this.#access = undefined;
  }

  async #read(): Promise<Current> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      // A file that is just being rotated: the old credentials are good for a moment longer.
      const current = this.#access;
      if (current !== undefined && Number.isFinite(current.readAt)) return current;
      throw cause;
    }
    const token = await mountedToken(this.#config);
    if (this.#closed) throw new Error('the connection is closed');
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = `${value}`.trim();
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
    if (options.auth) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const digest = digestOf(options);
    const current = this.#access;
    const kept = current?.digest === digest ? current.dispatcher : undefined;
    const dispatcher = kept ?? this.#open(options);
    this.#access = { dispatcher, headers, digest, readAt: this.#now() };
    // Waits for the requests that are under way, watches included.
    if (kept === undefined && current !== undefined) void current.dispatcher.close().catch(() => {});
    return this.#access;
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
    const pool = { ...poolOptions, connections: this.#connections };
    const dispatcher =
      wanted.type === 'proxy'
        ? new ProxyAgent({
            ...pool,
            uri: wanted.uri,
            requestTls: wanted.requestTls as buildConnector.BuildOptions,
          })
        : new Agent({
            ...pool,
            connect: wanted.type === 'agent' ? (wanted.connect as buildConnector.BuildOptions) : {},
          });
    dispatcher.on('connect', this.#onConnect);
    return dispatcher;
  }
}

/**
 * The token of a service account, as it is in its file now: client-node keeps it for a minute, so a token that is refused
 * would be sent again until then. undefined = the credentials are of another kind, or the file is just being rotated.
 */
async function mountedToken(config: KubeConfig): Promise<string | undefined> {
  const file: string | undefined = config.getCurrentUser()?.authProvider?.config?.tokenFile;
  if (file === undefined) return undefined;
  const token = await readFile(file, 'utf8').catch(() => '');
  return token.trim() || undefined;
}

function digestOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [ca, cert, key, rejectUnauthorized, servername]) hash.update(`${part}`).update('\0');
  return hash.digest('hex');
}
