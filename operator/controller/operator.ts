/** The whole operator in one process: connects the parts, starts them in order and stops them in order. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Config } from '../config.ts';
import { Client } from '../kube/client.ts';
import { systemClock as clock, wait } from '../kube/clock.ts';
import { Connection } from '../kube/connection.ts';
import { EventRecorder } from '../kube/events.ts';
import { Leader, leaseTimes } from '../kube/leader.ts';
import { RateLimit } from '../kube/rate-limit.ts';
import type { Log } from '../log.ts';
import { managerName } from '../manifests/names.ts';
import { createMetrics, scrape } from '../metrics.ts';
import { serveProbes } from '../probes.ts';
import { Caches } from './caches.ts';
import type { Decide } from './certainty.ts';
import { Controller, stuckAfterMs } from './controller.ts';
import { Memory } from './memory.ts';
import { observeState, queueObserver, requestObserver, watchObserver } from './observers.ts';
import { Poller } from './poller.ts';
import { Queue } from './queue.ts';
import { JobSeries } from './series.ts';
import { statusIntervalMs, stepDelayMs } from './status-interval.ts';
import { Sync } from './sync.ts';
import { watchWallClock } from './wall-clock.ts';

export type OperatorOptions = {
  config: Config;
  kubeConfig: KubeConfig;
  log: Log;
  version: string;
  decide: Decide;
  /** Port of the trainers, where it is not the one of the contract. */
  trainerPort?: number;
};

/** Time for the passes under way at a stop, for the events that wait, and for the lease. All within 10 s. */
const stopMs = { passes: 6000, events: 1000, lease: 2000 };
/** For four watches, four senders of events and the lease: none of them waits for passes that hang. */
const otherConnections = 16;
const retry = { baseMs: 200, capMs: 300_000 };

function connect({ config, kubeConfig, log, version }: OperatorOptions) {
  const metrics = createMetrics(version);
  const connection = new Connection({
    config: kubeConfig,
    connections: config.workers + otherConnections,
    onConnect: () => metrics.connections.inc(),
  });
  const identity = `${config.identity}_${randomUUID().slice(0, 8)}`;
  const context = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
  const common = {
    connection,
    userAgent: `${managerName}/${version}`,
    fieldManager: managerName,
    onRequest: requestObserver(metrics),
  };
  const times = leaseTimes(config.leaseSeconds);
  const leader = new Leader({
    // Two requests fit into the time in which a lease must be renewed.
    client: new Client({ ...common, timeoutMs: times.renewDeadlineMs / 2 }),
    clock,
    times,
    log,
    identity,
    namespace: config.leaseNamespace || context?.namespace || 'default',
    name: config.leaseName,
    onChange: (leading) => metrics.leader.set({ name: config.leaseName }, leading ? 1 : 0),
  });
  // A replica that waits says so, not only one that lost the lease.
  if (config.leaderElect) metrics.leader.set({ name: config.leaseName }, 0);
  const client = new Client({
    ...common,
    timeoutMs: config.apiTimeoutSeconds * 1000,
    limit: new RateLimit(clock, config.apiRequestsPerSecond, config.apiBurst),
    mayWrite: () => !config.leaderElect || leader.mayWrite(),
  });
  return { metrics, connection, leader, client, identity };
}

function build(options: OperatorOptions, { metrics, client, identity }: ReturnType<typeof connect>) {
  const { config, log, decide, trainerPort } = options;
  const queue = new Queue({
    clock,
    backoff: retry,
    observer: queueObserver(metrics),
    // In a single namespace there is nobody to share with.
    ...(config.watchNamespace === '' ? { workers: config.workers } : {}),
  });
  const caches = new Caches({
    client,
    clock,
    log,
    namespace: config.watchNamespace || undefined,
    observer: watchObserver(metrics),
  });
  observeState(metrics, queue, caches);
  const series = new JobSeries(metrics);
  const { statusSeconds, statusWritesPerSecond } = config;
  const intervalMs = (count: number) => statusIntervalMs(statusSeconds * 1000, statusWritesPerSecond, count);
  const poller = new Poller({
    clock,
    log,
    pollMs: config.pollSeconds * 1000,
    publishMs: intervalMs,
    concurrency: config.pollConcurrency,
    ...(trainerPort === undefined ? {} : { port: trainerPort }),
    onPoll: (result) => metrics.progressPolls.inc({ result }),
    onAnswer: (key, value) => series.live(key, value),
    onPublish: (key) => queue.addTo('small', key),
  });
  const onDrop = (count: number) => metrics.droppedEvents.inc(count);
  const events = new EventRecorder({
    client,
    clock,
    log,
    component: managerName,
    instance: identity,
    onDrop,
  });
  const detailMs = () => intervalMs(caches.telling);
  const stepMs = () => (queue.isBusy ? detailMs() : stepDelayMs(detailMs() - intervalMs(0)));
  const memory = new Memory({ client, clock, detailMs, stepMs });
  const record = events.record.bind(events);
  const sync = new Sync({ client, caches, memory, record, decide, poller, series, metrics });
  const pass = sync.pass.bind(sync);
  const controller = new Controller({ queue, pass, log, workers: config.workers, metrics });
  return { queue, caches, poller, events, controller };
}

export class Operator {
  readonly #options: OperatorOptions;
  readonly #access: ReturnType<typeof connect>;
  readonly #parts: ReturnType<typeof build>;
  /** Ends intake: no new pass, no try for the lease. */
  readonly #stopping = new AbortController();
  /** Gives up the passes under way. */
  readonly #giveUp = new AbortController();
  /** Ends the watches, the poller and the renewal of the lease. */
  readonly #end = new AbortController();
  #server: Server | undefined;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#access = connect(options);
    this.#parts = build(options, this.#access);
  }

  /** Port of the probes, once `run` listens. */
  get port(): number | undefined {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port;
  }

  get isLeading(): boolean {
    return this.#access.leader.isLeading;
  }

  get isReady(): boolean {
    return this.#parts.caches.missing.length === 0;
  }

  /** Asks `run` to come to an end. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#options.log.info('stopping');
    this.#parts.queue.stop();
    this.#stopping.abort();
  }

  /** Runs until `stop`; false = the lease was lost and the process must end at once. Throws if the port is taken. */
  async run(): Promise<boolean> {
    const { config } = this.#options;
    const { leader } = this.#access;
    const { caches, queue } = this.#parts;
    this.#server = await serveProbes(config.port, {
      stuck: () =>
        queue.working.filter((ms) => ms > stuckAfterMs).map((ms) => `a pass takes ${Math.round(ms)} ms`),
      missing: () => caches.missing.map((resource) => `${resource}: not listed yet`),
      metrics: () => scrape(this.#access.metrics),
    });
    const watching = caches.run(this.#end.signal);
    const leading = !config.leaderElect || (await leader.acquire(this.#stopping.signal));
    if (!leading) return this.#close(watching);
    const lease = config.leaderElect ? leader.keep(this.#end.signal) : undefined;
    const working = this.#work();
    const lost = lease?.then((kept) => !kept) ?? new Promise<never>(() => {});
    if (await Promise.race([lost, working.then(() => false)])) {
      this.#options.log.error('the lease was lost: this process ends, so that two never write');
      this.stop();
      this.#giveUp.abort();
      await this.#close(watching);
      return false;
    }
    await this.#parts.events.flush(stopMs.events);
    return this.#close(watching, lease);
  }

  /** Passes from the time the caches are complete until the stop. */
  async #work(): Promise<void> {
    const { caches, controller, poller, queue } = this.#parts;
    const stopping = this.#stopping.signal;
    while (caches.missing.length > 0 && !stopping.aborted) await wait(clock, 50, stopping);
    if (stopping.aborted) return;
    this.#options.log.info('working', { jobs: caches.jobs.size });
    caches.listen((key, isNew) => queue.addTo(isNew ? 'new' : 'ordinary', key));
    const polling = poller.run(stopping);
    const onStep = (ms: number) => {
      this.#options.log.warn('the wall clock has moved: all that waits is looked at', { ms: Math.round(ms) });
      queue.wake();
    };
    const watching = watchWallClock({ clock, onStep }, stopping);
    stopping.addEventListener('abort', () => setTimeout(() => this.#giveUp.abort(), stopMs.passes).unref());
    await controller.run(this.#giveUp.signal);
    await Promise.all([polling, watching]);
  }

  async #close(watching: Promise<void>, lease?: Promise<boolean>): Promise<true> {
    this.#end.abort();
    await Promise.all([watching, lease]);
    try {
      await this.#access.leader.release(AbortSignal.timeout(stopMs.lease));
    } catch (error) {
      this.#options.log.warn('lease was not released, it will run out', { error: String(error) });
    }
    await this.#access.connection.close();
    this.#server?.closeAllConnections();
    this.#server?.close();
    return true;
  }
}
