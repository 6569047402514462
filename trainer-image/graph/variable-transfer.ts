/**
 * Moves many variables in few calls. TensorFlow prepares an executor for each set of fetches it has not seen, which
 * costs tens of milliseconds, so variables travel in fixed chunks.
 */
import type { Tensor } from './graph.ts';
import type { Session } from './session.ts';
import type { Variable } from './variables.ts';

/** Largest chunk, unless one variable alone is larger. */
const chunkBytes = 64 * 2 ** 20;

/** The same where nothing else takes memory yet: each chunk costs TensorFlow an executor for it. */
const firstChunkBytes = 512 * 2 ** 20;

type Sized = { readonly shape: readonly number[] };

/** Consecutive variables that travel together; the same list always gives the same chunks. */
export function chunksOf<V extends Sized>(variables: readonly V[], limit = chunkBytes): V[][] {
  const chunks: V[][] = [];
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

/** First values of variables, on their way to a session. */
export type FirstValues = {
  /** Sets the variables and fetches `also` in the same call; float32, in the order of what is read. */
  assign(session: Session, variables: readonly Variable[], also: readonly Tensor[]): Promise<void>;
  /** When nothing is read any more, whatever came of it. */
  settled(): Promise<void>;
};

/**
 * Reads in the background, from now on and one chunk ahead, what variables will hold that may not exist yet. The arrays
 * are emptied when they are assigned.
 */
export function readFirstValues<V extends Sized>(
  wanted: readonly V[],
  read: (one: V) => Promise<Float32Array>,
  limit = firstChunkBytes,
): FirstValues {
  const chunks = chunksOf(wanted, limit);
  let settled: Promise<unknown> = Promise.resolve();
  const begin = (index: number): Promise<Float32Array[]> => {
    const reads = (chunks[index] ?? []).map(read);
    settled = Promise.allSettled([settled, ...reads]);
    return Promise.all(reads);
  };
  let ahead = begin(0);
  return {
    async assign(session, variables, also) {
      for (const [index, chunk] of chunksOf(variables, limit).entries()) {
        const values = await ahead;
        ahead = begin(index + 1);
        session.run(
          [...chunk.map(({ assigned }) => assigned), ...(index === 0 ? also : [])],
          chunk.map(({ next, shape }, i) => ({ tensor: next, data: values[i] as Float32Array, shape })),
        );
        for (const { buffer } of values) (buffer as ArrayBuffer).transfer(0);
      }
    },
    async settled() {
      await settled;
    },
  };
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
