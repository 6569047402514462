/** Entry of the thread that decodes one Parquet file: sends a block of rows for each request. */
import { open } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { fileBuffer, ParquetError, readGroups } from './parquet-groups.ts';

export type ParquetInput = { path: string; columns: readonly string[] };
/** Values of a block of rows, one list a column; an empty message is the end. */
export type ParquetMessage = { lists?: unknown[][]; problem?: { message: string; hint: string } };

/** Rows and letters sent at a time: a dictionary may hold a long text once for many rows, a message holds each. */
const blockRows = 1000;
const blockLetters = 4_000_000;

async function* blocks({ path, columns }: ParquetInput): AsyncGenerator<ParquetMessage> {
  const handle = await open(path);
  try {
    for await (const lists of readGroups(await fileBuffer(handle), columns)) {
      const rows = lists[0]?.length ?? 0;
      for (let start = 0; start < rows; ) {
        const end = endOfBlock(lists, start);
        yield { lists: lists.map((list) => list.slice(start, end)) };
        start = end;
      }
    }
  } catch (error) {
    if (!(error instanceof ParquetError)) throw error;
    yield { problem: { message: error.message, hint: error.hint } };
  } finally {
    await handle.close();
  }
}

function endOfBlock(lists: readonly unknown[][], start: number): number {
  let letters = 0;
  for (let row = start; row < start + blockRows; row++) {
    for (const value of lists.flatMap((list) => list[row]))
      letters += typeof value === 'string' ? value.length : 0;
    if (letters >= blockLetters) return row + 1;
  }
  return start + blockRows;
}

const port = parentPort;
if (port === null) throw new Error('parquet-thread.ts runs as a worker thread');
const messages = blocks(workerData as ParquetInput);
port.on('message', async () => {
  const { value, done } = await messages.next();
  port.postMessage(done ? {} : value);
});
