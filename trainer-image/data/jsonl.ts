import { linesOf } from './lines.ts';
import { type DataRecord, missingColumn, type ReadOptions } from './record.ts';

/** Records of a JSON Lines file: one object per line, blank lines skipped, CR LF accepted. */
export async function* readJsonl(
  chunks: AsyncIterable<Buffer>,
  { columns, onBadRow }: Omit<ReadOptions, 'name'>,
): AsyncGenerator<DataRecord> {
  for await (const { line, text } of linesOf(chunks, onBadRow)) {
    const values = parseLine(text, columns);
    if (typeof values === 'string') onBadRow(line, values);
    else yield { line, values };
  }
}

/** Some take one array of all rows for JSON Lines. */
const arrayReason =
  "an array begins here; a JSON Lines file has one object a line, as jq -c '.[]' writes them";

/** The object of a line, or the reason why it is bad. */
function parseLine(text: string, columns: readonly string[]): DataRecord['values'] | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `not valid JSON: ${/^\s*\[/.test(text) ? arrayReason : jsonReason(error)}`;
  }
  if (Array.isArray(value)) return `not a JSON object: ${arrayReason}`;
  if (typeof value !== 'object' || value === null) return 'not a JSON object';
  const object = value as Record<string, unknown>;
  for (const column of columns)
    if (!Object.hasOwn(object, column)) return missingColumn(column, Object.keys(object));
  return object;
}

/** The parser's message without the line number it adds, which is always 1 here, and without line breaks. */
function jsonReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .replace(/ \(line 1 column \d+\)/, '')
    .replace(/\s+/g, ' ')
    .slice(0, 160);
}
