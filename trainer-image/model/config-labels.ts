/** The labels that config.json names (`id2label`). */
import type { RawConfig } from './model.ts';

/** In the order of their ids; none where config.json names no list of different labels. */
export function labelsOfConfig({ id2label }: RawConfig): string[] {
  if (typeof id2label !== 'object' || id2label === null) return [];
  const labels = Object.keys(id2label).map((_, id) => (id2label as Record<string, unknown>)[id]);
  const isList = labels.every((label) => typeof label === 'string') && new Set(labels).size === labels.length;
  return isList ? (labels as string[]) : [];
}

/**
 * The labels that the classifier of a checkpoint was trained for; undefined where it has none, or config.json has only the
 * names that transformers makes up.
 */
export function labelsOfHead(
  raw: RawConfig,
  newlyInitialized: readonly string[],
): readonly string[] | undefined {
  const labels = labelsOfConfig(raw);
  const told = labels.some((label, id) => label !== `LABEL_${id}`);
  return told && newlyInitialized.length === 0 ? labels : undefined;
}
