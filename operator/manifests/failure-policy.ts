/** What the batch Job does with a failed pod, keyed by the trainer's exit codes. */
import type { V1PodFailurePolicy } from '@kubernetes/client-node';
import { type FailureRule, failures } from '../../crds/failures.ts';
import { trainerContainer } from './names.ts';

/**
 * First match wins; what no rule matches counts against backoffLimit.
 * 137 is left to the operator: out of memory (needs another Job) and killed from outside (retried) look the same here.
 */
export function podFailurePolicy(): V1PodFailurePolicy {
  return {
    rules: [
      { action: 'FailJob', onExitCodes: onExitCodes(failJobExitCodes) },
      // Preemption, eviction, drain and node loss are nobody's failure.
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      // The trainer saved a checkpoint because its pod was deleted.
      { action: 'Ignore', onExitCodes: onExitCodes(exitCodes('free')) },
    ],
  };
}

function onExitCodes(values: number[]) {
  return { containerName: trainerContainer, operator: 'In', values };
}

function exitCodes(...retry: FailureRule['retry'][]): number[] {
  const rules: FailureRule[] = Object.values(failures);
  return rules
    .filter((rule) => retry.includes(rule.retry))
    .flatMap((rule) => rule.exitCode ?? [])
    .filter((code) => code !== failures.HostOutOfMemory.exitCode)
    .sort((a, b) => a - b);
}

/** Exit codes at which the Job fails by itself and starts no other pod. */
export const failJobExitCodes = exitCodes('never', 'smaller');
