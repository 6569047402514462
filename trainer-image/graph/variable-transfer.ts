/**
 * Moves many variables in few calls. TensorFlow prepares an executor for each set of fetches it has not seen, which
 * costs tens of milliseconds, so variables travel in fixed chunks.
 */
import type { Session } from './session.ts';
import type { Variable } from './variables.ts';

/** Largest chunk, unless one variable alone is larger. */
const chunkBytes = 64 * 2 ** 20;

/** Consecutive variables that travel together; the same list always gives the same chunks. */
export function chunksOf(variables: readonly Variable[], limit = chunkBytes): Variable[][] {
  const chunks: Variable[][] = [];
  let room = 0;
  for (const variable of variables) {
    const bytes = 4 * variable.shape.reduce((product, size) => product * size, 1);
    if (bytes > room || chunks.length === 0) {
      chunks.push([]);
      room = limit;
    }
    chunks.at(-1)?.push(variable);
    room -= bytes;
  }
  return chunks;
}

/** Sets float32 variables; the data of one chunk at a time is asked for. */
export function assignVariables(
  session: Session,
  variables: readonly Variable[],
  dataOf: (variable: Variable) => Float32Array,
): void {
  for (const chunk of chunksOf(variables)) {
    session.run(
      chunk.map(({ assigned }) => assigned),
      chunk.map((variable) => ({ tensor: variable.next, data: dataOf(variable), shape: variable.shape })),
    );
  }
}

/**
 * A function that reads a variable. It fetches whole chunks and keeps the last one, so read in order: the arrays of the
 * chunk before are empty then, because they would wait for the garbage collector beside a model that fills the memory.
 */
export function variableReader(
  session: Session,
  variables: readonly Variable[],
): (variable: Variable) => Float32Array {
  const chunks = new Map(chunksOf(variables).flatMap((chunk) => chunk.map((variable) => [variable, chunk])));
  let loaded: { chunk: readonly Variable[]; values: Map<Variable, Float32Array> } | undefined;
  return (variable) => {
    const chunk = chunks.get(variable) ?? [variable];
    if (loaded?.chunk !== chunk) {
      for (const array of loaded?.values.values() ?? []) (array.buffer as ArrayBuffer).transfer(0);
      loaded = undefined;
      const values = session.run(
        chunk.map(({ value }) => value),
        [],
      );
      loaded = { chunk, values: new Map(chunk.map((item, i) => [item, values[i] as Float32Array])) };
    }
    return loaded.values.get(variable) as Float32Array;
  };
}
