/** How a train Job gets to a queue (Kueue): by the labels that its users know, without code of the queue. */
import { labels } from './names.ts';

type Queued = { labels?: Record<string, string> | undefined };

/** Queue of the train Job: the one that the FineTuneJob names in its own label, else that of the runtime. */
export function queueOf(
  job: Queued,
  runtime: { queueName?: string | undefined } | undefined,
): string | undefined {
  return job.labels?.[labels.queue] || runtime?.queueName || undefined;
}

/** Labels that a queue reads; none without a queue. */
export function queueLabels(
  job: Queued,
  runtime: { queueName?: string | undefined },
): Record<string, string> {
  const queue = queueOf(job, runtime);
  if (queue === undefined) return {};
  const priority = job.labels?.[labels.priority];
  return { [labels.queue]: queue, ...(priority && { [labels.priority]: priority }) };
}
