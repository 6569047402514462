import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { TrainerError } from '../failure.ts';
import type { ParquetInput, ParquetMessage } from './parquet-thread.ts';
import { type DataRecord, maxRowBytes, type ReadOptions } from './record.ts';

/** Heap for decoding one row group. */
const groupHeapMiB = 1024;

/**
 * Records of a Parquet file. They are decoded in a thread of their own with a bounded heap: a damaged file can claim
 * any number of values, and must not take this thread with it.
 * @throws TrainerError DataError when the file is damaged, too large a piece of it must be read at once, or a column is
 * missing or nested.
 */
export async function* readParquet(
  path: string,
  { name, columns, onBadRow }: ReadOptions,
  maxHeapMiB = groupHeapMiB,
): AsyncGenerator<DataRecord> {
  const workerData: ParquetInput = { path, columns };
  const thread = new Worker(threadFile(), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMiB },
  });
  try {
    let line = 0;
    for (;;) {
      const { lists, problem } = await nextBlock(thread, name, maxHeapMiB);
      if (problem !== undefined)
        throw new TrainerError('DataError', `${name}: ${problem.message}.`, problem.hint);
      if (lists === undefined) return;
      for (let row = 0; row < (lists[0]?.length ?? 0); row++) {
        line += 1;
        const values = lists.map((list) => list[row]);
        const reason = badValue(values);
        if (reason !== undefined) onBadRow(line, reason);
        else
          yield { line, values: Object.fromEntries(columns.map((column, index) => [column, values[index]])) };
      }
    }
  } finally {
    await thread.terminate();
  }
}

async function nextBlock(thread: Worker, name: string, maxHeapMiB: number): Promise<ParquetMessage> {
  thread.postMessage('next');
  try {
    const [message] = (await once(thread, 'message')) as [ParquetMessage];
    return message;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    throw new TrainerError(
      'DataError',
      `${name}: a row group cannot be decoded with ${maxHeapMiB} MiB of memory: it is too large or damaged.`,
      'Write the file anew with smaller row groups: to_parquet(..., row_group_size=50000) in pandas.',
      { cause: error },
    );
  }
}

function badValue(values: readonly unknown[]): string | undefined {
  for (const value of values.flat(1)) {
    if (value instanceof Uint8Array) return 'not valid UTF-8';
    if (typeof value === 'string' && value.length > maxRowBytes) return `longer than ${maxRowBytes} bytes`;
  }
  return undefined;
}

/** Beside this file as source, beside the bundle as bundled. */
function threadFile(): URL {
  const name = import.meta.url.endsWith('.ts') ? './parquet-thread.ts' : './parquet-thread.mjs';
  return new URL(name, import.meta.url);
}
