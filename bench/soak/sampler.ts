/** Looks at the operator process from outside, again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type OperatorProcess, sumOf } from '../operator/operator-process.ts';
import type { Sample } from './verdict.ts';

const mebi = 2 ** 20;

type Sampling = { everyMs: number; underWay: () => number; onSample: (sample: Sample) => void };

/** Samples until the signal fires. @throws Error when the process has ended */
export async function sampled(
  operator: OperatorProcess,
  { everyMs, underWay, onSample }: Sampling,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const started = performance.now();
  while (!signal.aborted) {
    if (!operator.isAlive) throw new Error('the operator has ended by itself; its log says why');
    const sample = await sampleOf(operator, (performance.now() - started) / 1000, underWay());
    samples.push(sample);
    onSample(sample);
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
  return samples;
}

async function sampleOf(operator: OperatorProcess, second: number, underWay: number): Promise<Sample> {
  // Before the question about metrics, which is a socket too.
  const descriptors = operator.descriptors;
  const rssMiB = operator.rssBytes / mebi;
  const series = await operator.series();
  const sum = (name: string) => sumOf(series, name);
  return {
    second: Math.round(second),
    rssMiB: Math.round(rssMiB * 10) / 10,
    heapMiB: Math.round((sum('nodejs_heap_size_used_bytes') / mebi) * 10) / 10,
    descriptors: descriptors.length,
    sockets: descriptors.filter((what) => what.startsWith('socket:')).length,
    series: series.length,
    cached: sum('finetune_operator_cached_objects'),
    underWay,
    passes: sum('controller_runtime_reconcile_total'),
    errors: sum('controller_runtime_reconcile_errors_total'),
    cpuSeconds: operator.cpuSeconds,
  };
}
