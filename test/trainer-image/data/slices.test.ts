/** dataset.slices: groups of test rows, and everything that can be wrong with the columns that name them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dataChecks } from '../../../crds/data-checks.ts';
import { maxSlices } from '../../../crds/trainer-contract.ts';
import type { EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import { readSlices, refuseUnmeasurable, slicesOf } from '../../../trainer-image/data/slices.ts';
import { ArrayWriter } from '../../../trainer-image/data/stored-array.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-slices-'));
});
after(() => rm(folder, { recursive: true }));

/** Slices of the rows on these lines of a file, by default of all its lines. */
async function read(
  content: string,
  slices: string[],
  { format = 'JSONL', lines: given }: { format?: 'JSONL' | 'CSV' | 'TSV'; lines?: number[] } = {},
) {
  const file = `test.${format.toLowerCase()}`;
  await writeFile(join(folder, file), content);
  const all = content.trimEnd().split('\n').length - (format === 'JSONL' ? 0 : 1);
  const chosen = given ?? Array.from({ length: all }, (_, line) => line + (format === 'JSONL' ? 1 : 2));
  const lines = new ArrayWriter<Int32Array<ArrayBuffer>>(join(folder, 'lines'), Int32Array);
  lines.append(chosen);
  const split = { file, texts: chosen.length, lines: lines.finish() } as EncodedSplit;
  return readSlices(split, { format, slices }, folder);
}
const jsonl = (rows: object[]) => `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`;

test('rows are grouped by the values of each column: strings, integers, booleans', async () => {
  const rows = [
    { language: 'en', year: 2024, spoken: true },
    { language: 'de', year: 2023, spoken: false },
    { language: 'en', year: 2023, spoken: true },
  ];
  const [language, year, spoken] = await read(jsonl(rows), ['language', 'year', 'spoken']);
  assert.deepEqual(language, { column: 'language', values: ['de', 'en'], of: Int32Array.of(1, 0, 1) });
  assert.deepEqual(year?.values, ['2023', '2024']);
  assert.deepEqual(spoken?.values, ['false', 'true']);
  assert.deepEqual(slicesOf(language!), [Int32Array.of(1), Int32Array.of(0, 2)]);
});

test('only rows of the split count, also where it is a part of the file', async () => {
  const content = 'text,language\nx,en\ny,\nz,de\n';
  const [language] = await read(content, ['language'], { format: 'CSV', lines: [2, 4] });
  assert.deepEqual(language, { column: 'language', values: ['de', 'en'], of: Int32Array.of(1, 0) });
});

test('without columns nothing is read', async () => {
  assert.deepEqual(await readSlices({ file: 'none' } as EncodedSplit, { format: 'JSONL' }, folder), []);
});

const bad: Record<string, { content: string; format?: 'CSV'; message: RegExp }> = {
  'a column that is missing in a row': {
    content: jsonl([{ language: 'en' }, { lang: 'de' }]),
    message: /^test\.jsonl line 2: no column "language"; the columns are "lang"/,
  },
  'a column that is missing in the header': {
    content: 'text,lang\nx,en\n',
    format: 'CSV',
    message: /^test\.csv line 1: no column "language"; the columns are "text", "lang"/,
  },
  'an empty value': {
    content: 'text,language\nx,en\ny,\n',
    format: 'CSV',
    message: /^test\.csv line 3: "language" is empty/,
  },
  'a value that is null': {
    content: jsonl([{ language: null }]),
    message: /^test\.jsonl line 1: "language" is null, not a string, an integer or a boolean/,
  },
  'a value that is a list': { content: jsonl([{ language: ['en'] }]), message: /"language" is a list/ },
  'a broken number': { content: jsonl([{ language: 0.5 }]), message: /"language" is the number 0\.5/ },
  'a value of 129 characters': {
    content: jsonl([{ language: 'x'.repeat(129) }]),
    message: /"language" has 129 characters/,
  },
  'too many values': {
    content: jsonl(Array.from({ length: maxSlices + 1 }, (_, row) => ({ language: row }))),
    message: new RegExp(`^test.jsonl has more than ${maxSlices} different values in the column "language"`),
  },
};
for (const [name, { content, format, message }] of Object.entries(bad)) {
  test(`${name} is a DataError`, async () => {
    const options = format === undefined ? {} : { format };
    await assert.rejects(read(content, ['language'], options), { category: 'DataError', message });
  });
}

test('as many values as are allowed make as many slices', async () => {
  const [column] = await read(jsonl(Array.from({ length: maxSlices }, (_, row) => ({ id: row }))), ['id']);
  assert.equal(column?.values.length, maxSlices);
});

test('a gate that no data could pass is refused before anything is trained', () => {
  const least = dataChecks.smallSlices.threshold;
  const of = Int32Array.from({ length: 2 * least - 1 }, (_, row) => (row < least ? 0 : 1));
  const columns = [{ column: 'language', values: ['en', 'de'], of }];
  const gate = (slices: object) => ({ metric: 'f1', slices }) as const;
  refuseUnmeasurable(columns, undefined);
  refuseUnmeasurable(columns, { metric: 'f1', minimum: 0.5 });
  refuseUnmeasurable(columns, gate({ minimum: 0.5 }));
  assert.throws(() => refuseUnmeasurable(columns, gate({ maximumGap: 0.1 })), {
    category: 'DataError',
    message:
      /gate\.slices needs 2 or more slices of the column "language" with at least 30 test rows; there are 1/,
  });
});
