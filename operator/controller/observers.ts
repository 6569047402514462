/** Connects what happens in the queue, the watches and the client to the metrics. */
import type { RequestLog } from '../kube/client.ts';
import type { Resource } from '../kube/resources.ts';
import type { WatchObserver } from '../kube/watch.ts';
import type { Metrics } from '../metrics.ts';
import type { Caches } from './caches.ts';
import { controllerName } from './controller.ts';
import type { Queue, QueueObserver } from './queue.ts';

const queueLabels = { name: controllerName, controller: controllerName, priority: '' };

export function queueObserver(metrics: Metrics): QueueObserver {
  return {
    added: () => metrics.queueAdds.inc(queueLabels),
    retried: () => metrics.queueRetries.inc(queueLabels),
    started: (waitedMs) => metrics.queueWait.observe(queueLabels, waitedMs / 1000),
    finished: (workedMs) => metrics.queueWork.observe(queueLabels, workedMs / 1000),
  };
}

export function watchObserver(metrics: Metrics): (resource: Resource) => WatchObserver {
  return ({ plural: resource }) => {
    let lastSign = performance.now();
    metrics.beforeScrape.push(() =>
      metrics.watchAge.set({ resource }, (performance.now() - lastSign) / 1000),
    );
    const sign = () => {
      lastSign = performance.now();
    };
    return {
      event: sign,
      listed: () => {
        sign();
        metrics.watchLists.inc({ resource });
      },
      failed: () => metrics.watchFailures.inc({ resource }),
      handlerFailed: () => metrics.watchHandlerErrors.inc({ resource }),
    };
  };
}

export function requestObserver(metrics: Metrics): (entry: RequestLog) => void {
  return ({ method, status, seconds }) => {
    metrics.requests.inc({ method, code: status === undefined ? 'error' : String(status) });
    metrics.requestSeconds.observe({ method }, seconds);
  };
}

/** Gauges that are read off queue and caches at each scrape. */
export function observeState(metrics: Metrics, queue: Queue, caches: Caches): void {
  metrics.beforeScrape.push(() => {
    const working = queue.working.map((ms) => ms / 1000);
    metrics.queueDepth.set(queueLabels, queue.depth);
    metrics.queueUnfinished.set(
      queueLabels,
      working.reduce((sum, value) => sum + value, 0),
    );
    metrics.queueLongest.set(queueLabels, Math.max(0, ...working));
    for (const [resource, size] of Object.entries(caches.sizes))
      metrics.cachedObjects.set({ resource }, size);
  });
}
