/** Whether the FineTuneRuntime lets the next Job be made. A Job that exists already is left alone. */
import type { FineTuneRuntimeSpec } from '../../../crds/finetuneruntime.schema.ts';
import { quantityValue } from '../../manifests/quantity.ts';
import { endpointsOf } from '../../manifests/sources.ts';
import type { FineTuneJob } from '../plan.ts';
import { type Check, failureFrom, recheckMs } from '../verdict.ts';

export const runtimeMissing: Check = ({ runtime, missing, job }) => {
  if (runtime !== undefined || missing === undefined) return undefined;
  const message = `FineTuneRuntime "${job.spec.runtimeRef.name}" does not exist.`;
  return blocked('RuntimeNotFound', message);
};

export const runtimeForbids: Check = ({ runtime, missing, job }) => {
  if (runtime === undefined || missing === undefined) return undefined;
  const refusal = refusalOf(job, runtime);
  if (refusal === undefined) return undefined;
  return blocked(
    'RuntimeForbidden',
    `FineTuneRuntime "${job.spec.runtimeRef.name}" does not allow ${refusal}.`,
  );
};

/** Goes on by itself as soon as the runtime allows it. */
function blocked(reason: 'RuntimeNotFound' | 'RuntimeForbidden', message: string) {
  return {
    phase: 'Pending' as const,
    reason,
    message,
    stalled: true,
    failure: failureFrom(reason, message),
    requeueAfterMs: recheckMs,
  };
}

function refusalOf({ metadata, spec }: FineTuneJob, runtime: FineTuneRuntimeSpec): string | undefined {
  const { allowedNamespaces, allowedEndpoints, trainer } = runtime;
  if (allowedNamespaces !== undefined && !allowedNamespaces.includes(metadata.namespace)) {
    return `namespace "${metadata.namespace}"`;
  }
  // Host names ignore case.
  const allowed = allowedEndpoints?.map((endpoint) => endpoint.toLowerCase());
  const foreign = endpointsOf(spec).find((endpoint) => allowed?.includes(endpoint.toLowerCase()) === false);
  if (foreign !== undefined) return `the S3 endpoint ${foreign}`;
  for (const resource of ['cpu', 'memory'] as const) {
    const wish = spec.resources[resource];
    if (wish !== undefined && quantityValue(wish) > quantityValue(trainer[resource])) {
      return `spec.resources.${resource} "${wish}" (at most ${trainer[resource]})`;
    }
  }
  return undefined;
}
