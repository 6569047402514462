/** From JSON to the types of @kubernetes/client-node, in place. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { apiVersionOf, isBuiltIn, type Resource } from './resources.ts';

/** Fields of type metav1.Time in the status of pods and jobs. */
const timeFields = new Set([
  'startTime',
  'completionTime',
  'startedAt',
  'finishedAt',
  'lastTransitionTime',
  'lastProbeTime',
]);

/**
 * Fills in kind and apiVersion, which the items of a list lack, turns times into Dates and drops what only costs memory (managedFields). The status of a custom resource keeps its
 * strings: its types come from the schema of the resource.
 */
export function decode<T extends KubernetesObject>(object: T, resource: Resource): T {
  object.apiVersion ??= apiVersionOf(resource);
  object.kind ??= resource.kind;
  const metadata = object.metadata as Record<string, unknown> | undefined;
  if (metadata !== undefined) {
    // Not deleted: V8 would keep the object as a hash table, in several times the memory.
    const { managedFields: _, ...kept } = metadata;
    for (const field of ['creationTimestamp', 'deletionTimestamp']) {
      if (typeof kept[field] === 'string') kept[field] = new Date(kept[field]);
    }
    object.metadata = kept;
  }
  if (isBuiltIn(resource)) reviveTimes((object as { status?: unknown }).status);
  return object;
}

function reviveTimes(value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) reviveTimes(item);
  } else if (typeof value === 'object' && value !== null) {
    const record = value as Record<string, unknown>;
    for (const [key, field] of Object.entries(record)) {
      if (typeof field === 'string') {
        if (timeFields.has(key)) record[key] = new Date(field);
      } else {
        reviveTimes(field);
      }
    }
  }
}
