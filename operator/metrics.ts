/** Every metric of the operator, in one table: the registry and the documentation are made from it. */
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObject,
  type MetricValue,
  Registry,
} from 'prom-client';

type Row = { name: string; help: string; labels: readonly string[]; buckets?: readonly number[] };

const seconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
const job = ['namespace', 'name'] as const;
const queue = ['name', 'controller', 'priority'] as const;

export const counters = {
  reconciles: {
    name: 'controller_runtime_reconcile_total',
    help: 'Passes by result: success, error, requeue, requeue_after.',
    labels: ['controller', 'result'],
  },
  reconcileErrors: {
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Passes that ended with an error.',
    labels: ['controller'],
  },
  queueAdds: { name: 'workqueue_adds_total', help: 'Keys added to the queue.', labels: queue },
  queueRetries: { name: 'workqueue_retries_total', help: 'Keys added after a failure.', labels: queue },
  requests: {
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by method and status; code "error" = no answer.',
    labels: ['method', 'code'],
  },
  connections: {
    name: 'finetune_operator_api_connections_total',
    help: 'Connections opened to the API server.',
    labels: [],
  },
  watchLists: {
    name: 'finetune_operator_watch_lists_total',
    help: 'Complete lists taken over by a watch; more than one = the watch had to start again.',
    labels: ['resource'],
  },
  watchFailures: {
    name: 'finetune_operator_watch_failures_total',
    help: 'Lists and watches that failed and were tried again.',
    labels: ['resource'],
  },
  watchHandlerErrors: {
    name: 'finetune_operator_watch_handler_errors_total',
    help: 'Errors in the handling of a change.',
    labels: ['resource'],
  },
  droppedEvents: {
    name: 'finetune_operator_dropped_events_total',
    help: 'Events that were not sent, because of a rate limit or an error.',
    labels: [],
  },
  progressPolls: {
    name: 'finetune_operator_progress_polls_total',
    help: 'Questions to trainers by result: ok, unreachable, refused, toolarge, invalid, stranger.',
    labels: ['result'],
  },
  statusWrites: {
    name: 'finetune_operator_status_writes_total',
    help: 'Writes of the status of a FineTuneJob.',
    labels: [],
  },
  finishedJobs: {
    name: 'finetune_jobs_finished_total',
    help: 'Runs that ended, by outcome: Succeeded, Rejected, Failed, Validated, Cancelled.',
    labels: ['outcome'],
  },
} as const satisfies Record<string, Row>;

export const gauges = {
  maxReconciles: {
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Workers.',
    labels: ['controller'],
  },
  activeWorkers: {
    name: 'controller_runtime_active_workers',
    help: 'Workers that are in a pass.',
    labels: ['controller'],
  },
  queueDepth: { name: 'workqueue_depth', help: 'Keys that wait for a worker.', labels: queue },
  queueUnfinished: {
    name: 'workqueue_unfinished_work_seconds',
    help: 'Sum of the time that the passes under way have taken so far.',
    labels: queue,
  },
  queueLongest: {
    name: 'workqueue_longest_running_processor_seconds',
    help: 'Time of the longest pass under way.',
    labels: queue,
  },
  buildInfo: {
    name: 'finetune_operator_build_info',
    help: '1; the labels tell the version.',
    labels: ['version', 'node_version'],
  },
  leader: {
    name: 'leader_election_master_status',
    help: '1 while this replica holds the lease.',
    labels: ['name'],
  },
  watchAge: {
    name: 'finetune_operator_watch_last_event_age_seconds',
    help: 'Time since the last sign of life of a watch.',
    labels: ['resource'],
  },
  cachedObjects: {
    name: 'finetune_operator_cached_objects',
    help: 'Objects in memory.',
    labels: ['resource'],
  },
  jobInfo: {
    name: 'finetune_job_info',
    help: '1; the labels describe the job.',
    labels: [...job, 'uid', 'task', 'runtime'],
  },
  jobPhase: {
    name: 'finetune_job_phase',
    help: '1 for the phase that the job is in.',
    labels: [...job, 'phase'],
  },
  jobLoss: { name: 'finetune_job_loss', help: 'Training loss.', labels: job },
  jobEvalLoss: { name: 'finetune_job_eval_loss', help: 'Loss on the validation split.', labels: job },
  jobProgress: { name: 'finetune_job_progress_ratio', help: 'Part of the steps done, 0 to 1.', labels: job },
  jobGpuSeconds: {
    name: 'finetune_job_gpu_seconds',
    help: 'Accelerators times the time that trainers ran, over all attempts of the run.',
    labels: job,
  },
  jobCost: {
    name: 'finetune_job_cost',
    help: 'The same at the price of the FineTuneRuntime, in its currency; only where it names a price.',
    labels: job,
  },
  jobStep: { name: 'finetune_job_step', help: 'Optimiser steps done.', labels: job },
} as const satisfies Record<string, Row>;

export const histograms = {
  reconcileSeconds: {
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Time of a pass.',
    labels: ['controller'],
    buckets: seconds,
  },
  queueWait: {
    name: 'workqueue_queue_duration_seconds',
    help: 'Time that a key waited for a worker.',
    labels: queue,
    buckets: seconds,
  },
  queueWork: {
    name: 'workqueue_work_duration_seconds',
    help: 'Time that a worker spent on a key.',
    labels: queue,
    buckets: seconds,
  },
  requestSeconds: {
    name: 'rest_client_request_duration_seconds',
    help: 'Time to the first byte of the answer of the API server.',
    labels: ['method'],
    buckets: seconds,
  },
} as const satisfies Record<string, Row>;

type Labels<R extends Row> = R['labels'][number];

export type Metrics = {
  [K in keyof typeof counters]: Counter<Labels<(typeof counters)[K]>>;
} & {
  [K in keyof typeof gauges]: Gauge<Labels<(typeof gauges)[K]>>;
} & {
  [K in keyof typeof histograms]: Histogram<Labels<(typeof histograms)[K]>>;
} & {
  registry: Registry;
  /** Called before each scrape, for gauges that are read off something. */
  beforeScrape: (() => void)[];
  /** By the name of a gauge: makes its values at each scrape. Kept as series of prom-client, those of ten thousand jobs take 20 MiB and more. */
  madeAtScrape: Map<string, () => Iterable<MetricValue<string>>>;
};

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const made: Record<string, unknown> = { registry, beforeScrape: [], madeAtScrape: new Map() };
  const registers = [registry];
  for (const [key, { name, help, labels }] of Object.entries(counters)) {
    made[key] = new Counter({ name, help, labelNames: labels, registers });
  }
  for (const [key, { name, help, labels }] of Object.entries(gauges)) {
    made[key] = new Gauge({ name, help, labelNames: labels, registers });
  }
  for (const [key, { name, help, labels, buckets }] of Object.entries(histograms)) {
    made[key] = new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers });
  }
  const metrics = made as Metrics;
  metrics.buildInfo.set({ version, node_version: process.version }, 1);
  return metrics;
}

/** Values in a piece of text: those of ten thousand jobs at once would be garbage that V8 takes for what stays. */
const pieceValues = 200;

/** The text that Prometheus reads, in pieces: with ten thousand jobs the whole has megabytes. */
export async function* scrape({ beforeScrape, madeAtScrape, registry }: Metrics): AsyncGenerator<string> {
  for (const update of beforeScrape) update();
  for (const gauge of registry.getMetricsAsArray()) {
    const values = madeAtScrape.get(gauge.name);
    if (values === undefined) yield `${await registry.getSingleMetricAsString(gauge.name)}\n`;
    else yield* inPieces(gauge, values());
  }
}

async function* inPieces(gauge: MetricObject, values: Iterable<MetricValue<string>>): AsyncGenerator<string> {
  const head = await textOf(gauge, []);
  yield `${head}\n`;
  for (const piece of pieces(values)) yield `${(await textOf(gauge, piece)).slice(head.length + 1)}\n`;
}

function* pieces<T>(values: Iterable<T>): Generator<T[]> {
  let piece: T[] = [];
  for (const value of values) {
    if (piece.push(value) < pieceValues) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}

/** What prom-client makes of a gauge that has these values. */
function textOf({ name, help }: MetricObject, values: MetricValue<string>[]): Promise<string> {
  const registry = new Registry();
  const gauge = new Gauge({ name, help, registers: [registry] });
  const get = gauge.get.bind(gauge);
  gauge.get = async () => ({ ...(await get()), values });
  return registry.getSingleMetricAsString(name);
}
