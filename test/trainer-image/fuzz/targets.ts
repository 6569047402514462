import { binaryReaders } from './binary-readers.ts';
import { modelConfig } from './model-config.ts';
import { runConfig } from './run-config.ts';
import { safetensors } from './safetensors.ts';
import type { Target } from './target.ts';
import { textReaders } from './text-readers.ts';

/** Everything of the trainer that reads what others wrote. */
export const targets: readonly Target[] = [
  ...safetensors,
  ...textReaders,
  ...binaryReaders,
  ...runConfig,
  ...modelConfig,
];

/** The target of this name. Throws with all names when there is none. */
export function targetOf(name: string): Target {
  const target = targets.find((candidate) => candidate.name === name);
  if (target !== undefined) return target;
  const names = targets.map((candidate) => candidate.name).join('\n  ');
  throw new Error(`There is no target "${name}", but:\n  ${names}`);
}
