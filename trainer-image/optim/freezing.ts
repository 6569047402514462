/** Which weights stay as they are. */
import { TrainerError } from '../failure.ts';

/**
 * Names of the weights that a pattern matches. A pattern is the beginning of a name, up to a dot or its end; in place of
 * a part it may have `*` for any part or `2-5` for a number in a range. It is no regular expression: one pass over the
 * parts decides, whatever somebody writes.
 * @throws TrainerError ConfigError when a pattern matches nothing, or when nothing would be left to train
 */
export function frozenWeights(names: readonly string[], patterns: readonly string[]): ReadonlySet<string> {
  const frozen = new Set<string>();
  for (const [index, pattern] of patterns.entries()) {
    const matched = names.filter((name) => matches(name, pattern));
    if (matched.length === 0)
      throw refused(`training.freeze[${index}]: '${pattern}' matches no weight`, names);
    for (const name of matched) frozen.add(name);
  }
  if (names.every((name) => frozen.has(name)) && names.length > 0)
    throw refused('training.freeze leaves no weight to train', names);
  return frozen;
}

function matches(name: string, pattern: string): boolean {
  const parts = name.split('.');
  return pattern.split('.').every((wanted, index) => fits(parts[index], wanted));
}

function fits(part: string | undefined, wanted: string): boolean {
  if (part === undefined) return false;
  if (wanted === '*' || wanted === part) return true;
  const [, first, last] = /^(\d+)-(\d+)$/.exec(wanted) ?? [];
  return /^\d+$/.test(part) && Number(part) >= Number(first) && Number(part) <= Number(last);
}

/** The error, with the first two parts of all names as a hint: 'bert.encoder' for one. */
function refused(problem: string, names: readonly string[]): TrainerError {
  const beginnings = new Set(names.map((name) => name.split('.').slice(0, 2).join('.')));
  return new TrainerError(
    'ConfigError',
    `${problem}.`,
    `Name some of the weights of the model, by beginnings such as ${[...beginnings].slice(0, 8).join(', ')}.`,
  );
}
