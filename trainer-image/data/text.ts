import { linesOf } from './lines.ts';
import type { DataRecord, ReadOptions } from './record.ts';

/** Records of a plain text: each line that is not blank is the value of the one column that the task reads. */
export async function* readText(
  chunks: AsyncIterable<Buffer>,
  { columns: [column = ''], onBadRow }: Omit<ReadOptions, 'name'>,
): AsyncGenerator<DataRecord> {
  for await (const { line, text } of linesOf(chunks, onBadRow)) yield { line, values: { [column]: text } };
}
