/** Random text for the readers of delimited files, JSON lines and plain text. */
import assert from 'node:assert/strict';
import { parse } from 'csv-parse/sync';
import { readDelimited } from '../../../trainer-image/data/delimited.ts';
import { DelimitedRecords } from '../../../trainer-image/data/delimited-records.ts';
import { readJsonl } from '../../../trainer-image/data/jsonl.ts';
import type { Random } from '../../../trainer-image/data/random.ts';
import type { DataRecord, OnBadRow } from '../../../trainer-image/data/record.ts';
import { readText } from '../../../trainer-image/data/text.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { isRefusal } from './refusal.ts';
import type { Target } from './target.ts';

const columns = ['text', 'label'];
const formats = [
  { format: 'CSV', delimiter: ',' },
  { format: 'TSV', delimiter: '\t' },
] as const;

/** Cuts a file into chunks of random sizes: no reader may depend on where a chunk ends. */
async function* chunksOf(content: Buffer, source: Random): AsyncGenerator<Buffer> {
  for (let start = 0; start < content.length; ) {
    const size = 1 + source.below(12);
    yield content.subarray(start, start + size);
    start += size;
  }
}

const pick = <T>(items: readonly T[], source: Random): T => items[source.below(items.length)] as T;
const csvPieces = [
  'a',
  'é',
  '😀',
  ',',
  ',',
  '\t',
  '\t',
  '"',
  '""',
  '\n',
  '\r\n',
  '\r',
  ' ',
  'text',
  'label',
  '\0',
  '\xff',
];
const jsonPieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '"text"',
  '"label"',
  ':',
  ',',
  '\\',
  '\\u',
  'd800',
  '1e999',
  '\n',
  '\r',
];

type Format = (typeof formats)[number];

const roundTrip = ({ format, delimiter }: Format): Target => ({
  name: `${format}: fields come back as they were written`,
  refusedShare: [0, 0],
  attempt(source) {
    const some = <T>(most: number, make: () => T): T[] =>
      Array.from({ length: 1 + source.below(most) }, make);
    const field = () =>
      some(6, () => pick(csvPieces, source))
        .slice(1)
        .join('');
    const want = some(5, () => some(4, field));
    const lineEnd = pick(['\n', '\r\n'], source);
    const lines = want.map((fields) => fields.map((text) => write(text, delimiter, source)).join(delimiter));
    const text = lines.map((line) => line + lineEnd).join('');
    assert.deepEqual(readFields(text, delimiter, source), want, JSON.stringify(text));
    return false;
  },
});

const asCsvParse = ({ format, delimiter }: Format): Target => ({
  name: `${format}: any text is read as csv-parse reads it, or refused by both`,
  refusedShare: [0.01, 0.9],
  attempt(source) {
    // csv-parse ends lines at a single CR, and takes NUL after a closing quote for white space.
    const pieces = csvPieces.filter((piece) => piece !== '\r' && piece !== '\0');
    const text = Array.from({ length: source.below(12) }, () => pick(pieces, source)).join('');
    const want = parsed(text, delimiter);
    const got = readFields(text, delimiter, source);
    if (want === undefined) assert.equal(typeof got, 'string', JSON.stringify(text));
    else assert.deepEqual(got, want, JSON.stringify(text));
    return want === undefined;
  },
});

const rows = ({ format, delimiter }: Format): Target => ({
  name: `${format}: random rows end in rows, bad rows or a DataError`,
  refusedShare: [0.1, 0.9],
  async attempt(source) {
    const header = source.below(3) === 0 ? '' : `text${delimiter}label\n`;
    const body = Array.from({ length: source.below(30) }, () => pick(csvPieces, source)).join('');
    const content = Buffer.from(header + body, pick(['utf8', 'latin1'], source));
    const read = (onBadRow: OnBadRow) =>
      readDelimited(chunksOf(content, source), { format, name: 'f', columns, onBadRow });
    return (await readAll(read, content)) === 'refused';
  },
});

/** In quotes where it must be, and at random. */
function write(field: string, delimiter: string, source: Random): string {
  const must = field === '' || field.includes(delimiter) || /["\r\n]/.test(field);
  return must || source.below(2) === 0 ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Fields of all records, or the first error. */
function readFields(text: string, delimiter: string, source: Random): string[][] | string {
  const bytes = Buffer.from(text);
  const reader = new DelimitedRecords({ delimiter: delimiter.charCodeAt(0), maxBytes: 1000 });
  const records = [];
  for (let start = 0; start < bytes.length; ) {
    const size = 1 + source.below(12);
    records.push(...reader.push(bytes.subarray(start, start + size)));
    start += size;
  }
  records.push(...reader.end());
  const failed = records.find((record) => 'error' in record);
  if (failed !== undefined && 'error' in failed) return failed.error;
  return records.map((record) =>
    'fields' in record ? record.fields.map((field) => Buffer.from(field).toString()) : [],
  );
}

function parsed(text: string, delimiter: string): string[][] | undefined {
  const lines = { record_delimiter: ['\r\n', '\n'], relax_column_count: true, skip_empty_lines: true };
  try {
    return parse(text, { ...lines, delimiter }) as unknown as string[][];
  } catch {
    return undefined;
  }
}

const jsonl: Target = {
  name: 'JSONL: random lines end in rows or bad rows',
  refusedShare: [0, 0],
  async attempt(source) {
    const valid = () =>
      JSON.stringify({ text: pick(csvPieces, source), label: pick([1, true, 'x', null, 0.5], source) });
    const piece = () => (source.below(4) === 0 ? `\n${valid()}\n` : pick(jsonPieces, source));
    const text = Array.from({ length: source.below(30) }, piece).join('');
    const content = Buffer.from(text, pick(['utf8', 'latin1'], source));
    const lines = content.toString('latin1').split('\n');
    const seen = await readAll(
      (onBadRow) => readJsonl(chunksOf(content, source), { columns, onBadRow }),
      content,
    );
    // Every line that is not blank is one or the other.
    const want = lines.filter((line) => line.trim() !== '' && !/^[\s\x85\xa0]*$/.test(line)).length;
    assert.equal(seen, want, JSON.stringify(text));
    return false;
  },
};

const plainText: Target = {
  name: 'Text: random lines end in texts or bad rows',
  refusedShare: [0, 0],
  async attempt(source) {
    const text = Array.from({ length: source.below(30) }, () => pick(csvPieces, source)).join('');
    const content = Buffer.from(text, pick(['utf8', 'latin1'], source));
    const bad: number[] = [];
    const read = readText(chunksOf(content, source), {
      columns: ['text'],
      onBadRow: (line) => bad.push(line),
    });
    const rows = await Array.fromAsync(read);
    const lines = content.toString('latin1').split('\n');
    assert.equal(rows.length + bad.length, lines.filter((line) => line.trim() !== '').length, text);
    for (const { line, values } of rows) {
      const want = Buffer.from((lines[line - 1] as string).replace(/\r$/, ''), 'latin1').toString();
      assert.equal(values['text'], want, JSON.stringify(text));
    }
    return false;
  },
};

/** @returns the number of rows and bad rows, or that the file was refused. */
async function readAll(
  read: (onBadRow: OnBadRow) => AsyncIterable<DataRecord>,
  content: Buffer,
): Promise<number | 'refused'> {
  const shown = JSON.stringify(content.toString('latin1'));
  const lines: number[] = [];
  const onBadRow = (line: number, reason: string) => {
    assert.ok(reason !== '' && reason.length < 400, shown);
    lines.push(line);
  };
  try {
    for await (const { line, values } of read(onBadRow)) {
      const content = sequenceClassification.readRow(values, { text: 'text', label: 'label' });
      if (typeof content === 'string') onBadRow(line, content);
      else {
        assert.ok(
          content.text.trim() !== '' && content.text.isWellFormed() && content.labels[0]?.trim(),
          shown,
        );
        lines.push(line);
      }
    }
  } catch (error) {
    return isRefusal(error, 'DataError') && 'refused';
  } finally {
    assert.equal(new Set(lines).size, lines.length, `a line is told twice: ${shown}`);
  }
  return lines.length;
}

export const textReaders: readonly Target[] = [
  ...formats.flatMap((format) => [roundTrip(format), asCsvParse(format), rows(format)]),
  jsonl,
  plainText,
];
