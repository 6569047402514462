/** Finds for each parameter of a model its tensor in a checkpoint. Strict: nothing is left at random values silently. */
import { TrainerError } from '../failure.ts';
import type { ParameterSpec } from './parameters.ts';
import type { TensorEntry } from './safetensors.ts';
import { weightTypes } from './stored-types.ts';

export type WeightMap = {
  /** Key in the checkpoint by parameter name. */
  readonly keys: ReadonlyMap<string, string>;
  /** Parameters that the checkpoint lacks and that may start new. */
  readonly newlyInitialized: readonly string[];
  /** Keys of the checkpoint that the model has no use for. */
  readonly unusedKeys: readonly string[];
};

/** How many names an error lists. */
const listed = 8;

/**
 * Accepts keys with or without `prefix` (a checkpoint of the bare model has none) and the old names `gamma` and `beta`.
 * Throws TrainerError ModelError listing all tensors that are missing, of another shape, or of a type that is no weight.
 */
export function mapWeights(
  entries: ReadonlyMap<string, TensorEntry>,
  parameters: readonly ParameterSpec[],
  prefix: string,
): WeightMap {
  const byName = new Map<string, string>();
  for (const key of entries.keys()) {
    const name = currentName(key);
    if (!byName.has(name) || name === key) byName.set(name, key);
  }
  const keys = new Map<string, string>();
  const newlyInitialized: string[] = [];
  const missing: string[] = [];
  const misshapen: string[] = [];
  const unreadable: string[] = [];
  for (const { name, shape, initial } of parameters) {
    const bare = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const key = byName.get(name) ?? byName.get(bare);
    const entry = key === undefined ? undefined : entries.get(key);
    if (key === undefined || entry === undefined) (initial ? newlyInitialized : missing).push(name);
    else if (entry.shape.join() !== shape.join())
      misshapen.push(`${key} is [${entry.shape.join(', ')}], want [${shape.join(', ')}]`);
    else if (weightTypes.has(entry.dtype)) keys.set(name, key);
    else unreadable.push(`${key} is ${entry.dtype}`);
  }
  if (missing.length > 0 || misshapen.length > 0) throw mismatch(missing, misshapen);
  if (unreadable.length > 0) throw notWeights(unreadable);
  const used = new Set(keys.values());
  return { keys, newlyInitialized, unusedKeys: [...entries.keys()].filter((key) => !used.has(key)) };
}

/** Checkpoints that were converted from TensorFlow 1 call the parameters of a LayerNorm gamma and beta. */
function currentName(key: string): string {
  return key.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}

function mismatch(missing: readonly string[], misshapen: readonly string[]): TrainerError {
  const parts = [
    missing.length > 0 ? `${missing.length} tensors are missing: ${list(missing)}` : '',
    misshapen.length > 0 ? `${misshapen.length} tensors have another shape: ${list(misshapen)}` : '',
  ].filter((part) => part !== '');
  const head = misshapen.some((line) => line.startsWith('classifier.'));
  return new TrainerError(
    'ModelError',
    `The checkpoint does not fit its config.json: ${parts.join('; ')}.`,
    head
      ? 'The checkpoint has a classifier for another number of labels: use its base model, or list all its labels in dataset.labels.'
      : 'Check that config.json and the weights belong to the same model.',
  );
}

function notWeights(unreadable: readonly string[]): TrainerError {
  return new TrainerError(
    'ModelError',
    `The checkpoint has ${unreadable.length} tensors of a type that is not read as a weight: ${list(unreadable)}.`,
    `Use the model with weights in ${[...weightTypes].join(', ')}: what is quantised cannot be trained.`,
  );
}

function list(items: readonly string[]): string {
  const more = items.length - listed;
  return items.slice(0, listed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
