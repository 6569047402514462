import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { maxRowBytes } from '../../../trainer-image/data/record.ts';
import { BadRows, type Row } from '../../../trainer-image/data/row.ts';
import { type Format, readRows } from '../../../trainer-image/data/rows.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-rows-'));
});
after(() => rm(folder, { recursive: true }));

type Got = { rows: Row[]; bad: [number, string][] };
async function read(format: Format, content: string | Buffer): Promise<Got> {
  const file = join(folder, 'file');
  await writeFile(file, content);
  const got: Got = { rows: [], bad: [] };
  const columns = { text: 'text', label: 'label' };
  const onBadRow = (line: number, reason: string) => got.bad.push([line, reason]);
  const { readRow } = sequenceClassification;
  const options = { name: 'f', format, columns, readRow, onBadRow };
  for await (const row of readRows(file, options)) got.rows.push(row);
  return got;
}
const row = (line: number, text: string, label: string): Row => ({ line, text, labels: [label] });
const latin1 = (text: string) => Buffer.from(text, 'latin1');

type Case = { given: string | Buffer; rows?: Row[]; bad?: [number, RegExp][] };

const jsonl: Record<string, Case> = {
  'rows with their lines; blank lines and CR LF are fine': {
    given: '{"text":"a","label":"x"}\r\n\r\n  \n{"label":"y","text":" b ","more":[1]}',
    rows: [row(1, 'a', 'x'), row(4, ' b ', 'y')],
  },
  'a byte order mark at the start is dropped': {
    given: '\ufeff{"text":"a","label":"x"}\n',
    rows: [row(1, 'a', 'x')],
  },
  'integers and booleans are labels': {
    given: '{"text":"a","label":-1}\n{"text":"b","label":true}\n{"text":"c","label":1e2}',
    rows: [row(1, 'a', '-1'), row(2, 'b', 'true'), row(3, 'c', '100')],
  },
  'other types are not': {
    given:
      '{"text":"a","label":0.5}\n{"text":"a","label":null}\n{"text":1,"label":"x"}\n{"text":["a"],"label":{}}',
    bad: [
      [1, /^"label" is the number 0.5, not/],
      [2, /^"label" is null/],
      [3, /^"text" is the number 1, not a string/],
      [4, /^"text" is a list/],
    ],
  },
  'broken JSON is named with its place': {
    given: '{"text":"a","label":"x"}\n{"text":"a" "label":"x"}\n[1]\n"text"\n12\n{"text":',
    rows: [row(1, 'a', 'x')],
    bad: [
      [2, /^not valid JSON: .*position 12/],
      [3, /^not a JSON object/],
      [4, /^not a JSON object/],
      [5, /^not a JSON object/],
      [6, /^not valid JSON/],
    ],
  },
  'a missing column names those that exist': {
    given: '{"text":"a","lable":"x"}\n{}',
    bad: [
      [1, /^no column "label"; the columns are "text", "lable"$/],
      [2, /the columns are none/],
    ],
  },
  'a column is never inherited': {
    given: '{"text":"a","__proto__":{"label":"x"}}',
    bad: [[1, /no column "label"/]],
  },
  'empty text and empty label are bad': {
    given: '{"text":" \\n","label":"x"}\n{"text":"a","label":" "}',
    bad: [
      [1, /"text" is empty/],
      [2, /"label" is empty/],
    ],
  },
  'NUL and half surrogate pairs are bad': {
    given:
      '{"text":"a\\u0000b","label":"x"}\n{"text":"\\ud83d","label":"x"}\n{"text":"\\ud83d\\ude00","label":"x"}',
    rows: [row(3, '😀', 'x')],
    bad: [
      [1, /NUL/],
      [2, /surrogate/],
    ],
  },
  'bytes that are no UTF-8 are bad': {
    given: Buffer.concat([
      latin1('{"text":"caf\xe9","label":"x"}\n'),
      Buffer.from('{"text":"café","label":"x"}'),
    ]),
    rows: [row(2, 'café', 'x')],
    bad: [[1, /not valid UTF-8/]],
  },
  'a label too long for the report is bad': {
    given: JSON.stringify({ text: 'a', label: 'x'.repeat(129) }),
    bad: [[1, /129 characters/]],
  },
  'an array of all rows says what JSON Lines are': {
    given: '[{"text":"a","label":"x"}]\n[\n{"text":"b","label":"y"}\n',
    rows: [row(3, 'b', 'y')],
    bad: [
      [1, /^not a JSON object: an array begins here; .*one object a line/],
      [2, /^not valid JSON: an array begins here/],
    ],
  },
  'a deeply nested line does not overflow the stack': {
    given: `${'['.repeat(5_000_000)}\n{"text":"b","label":"y"}\n`,
    rows: [row(2, 'b', 'y')],
    bad: [[1, /^not valid JSON/]],
  },
  'an endless line is bad and the next is read': {
    given: `{"text":"${'a'.repeat(maxRowBytes)}","label":"x"}\n{"text":"b","label":"y"}\n`,
    rows: [row(2, 'b', 'y')],
    bad: [[1, /longer than/]],
  },
};

const csv: Record<string, Case> = {
  'columns by their names, in any order': {
    given: 'id,label,text\r\n1,x,hello\r\n2,y,"a, ""b"""\r\n',
    rows: [row(2, 'hello', 'x'), row(3, 'a, "b"', 'y')],
  },
  'line breaks in a field keep lines right': {
    given: 'text,label\r\n"one\r\ntwo\nthree",x\r\n\r\nlast,y',
    rows: [row(2, 'one\r\ntwo\nthree', 'x'), row(6, 'last', 'y')],
  },
  'a byte order mark before the header is dropped': {
    given: '\ufefftext,label\na,x\n',
    rows: [row(2, 'a', 'x')],
  },
  'a wrong number of fields is bad': {
    given: 'text,label\na\nb,x,y\n\nc,z',
    rows: [row(5, 'c', 'z')],
    bad: [
      [2, /^1 fields where the header has 2/],
      [3, /^3 fields/],
    ],
  },
  'a stray quote spoils its own line only': {
    given: 'text,label\nhe"llo,x\n"a"b,x\n"a" ,x\nc,y\n',
    rows: [row(5, 'c', 'y')],
    bad: [
      [2, /quote inside a field/],
      [3, /follows a closing quote/],
      [4, /follows a closing quote/],
    ],
  },
  'an open quote is named where it starts': {
    given: 'text,label\na,x\n"b,x\nc,y\n',
    rows: [row(2, 'a', 'x')],
    bad: [[3, /never closed/]],
  },
  'quoted empty fields are empty, not missing': {
    given: 'text,label\n"",""\n',
    bad: [[2, /"text" is empty/]],
  },
  'CR inside a line and quoted at its end is content': {
    given: 'text,label\na\rb,x\n"c\r",y\nd,"z"\r\n',
    rows: [row(2, 'a\rb', 'x'), row(3, 'c\r', 'y'), row(4, 'd', 'z')],
  },
  'bytes that are no UTF-8 are bad': {
    given: latin1('text,label\ncaf\xe9,x\ntea,y\n'),
    rows: [row(3, 'tea', 'y')],
    bad: [[2, /not valid UTF-8/]],
  },
  'an endless record is bad': {
    given: `text,label\n${'a'.repeat(maxRowBytes + 1)},x\nb,y\n`,
    rows: [row(3, 'b', 'y')],
    bad: [[2, /longer than/]],
  },
  'a line of commas is bounded': {
    given: `text,label\n${','.repeat(1_000_000)}\nb,y\n`,
    rows: [row(3, 'b', 'y')],
    bad: [[2, /too many fields/]],
  },
  'an empty file has no rows': { given: '' },
};

/** TSV has the rules of CSV with another delimiter; commas in it are content, and tabs in CSV. */
const tabbed = (text: string) => text.replace(/[,\t]/g, (letter) => (letter === ',' ? '\t' : ','));
const tsv = Object.fromEntries(
  Object.entries(csv).map(([name, { given, rows, bad }]): [string, Case] => [
    name,
    {
      given: typeof given === 'string' ? tabbed(given) : latin1(tabbed(given.toString('latin1'))),
      ...(rows && { rows: rows.map((row) => ({ ...row, text: tabbed(row.text) })) }),
      ...(bad && { bad }),
    },
  ]),
);

for (const [format, cases] of [
  ['JSONL', jsonl],
  ['CSV', csv],
  ['TSV', tsv],
] as const) {
  for (const [name, { given, rows = [], bad = [] }] of Object.entries(cases)) {
    test(`${format}: ${name}`, async () => {
      const got = await read(format, given);
      assert.deepEqual(got.rows, rows);
      assert.deepEqual(
        got.bad.map(([line]) => line),
        bad.map(([line]) => line),
        JSON.stringify(got.bad).slice(0, 500),
      );
      for (const [index, [, reason]] of bad.entries()) assert.match(got.bad[index]?.[1] ?? '', reason);
    });
  }
}

const headers: Record<string, [string | Buffer, RegExp]> = {
  'a missing column names those that exist': [
    'message,label\na,x\n',
    /f line 1: no column "text"; the columns are "message", "label"/,
  ],
  'another separator shows in the column names': ['text;label\na;x\n', /the columns are "text;label"/],
  'a name that comes twice': ['text,label,text\na,x,b\n', /column "text" twice/],
  'a broken quote': ['"text,label\na,x\n', /line 1: the header cannot be read/],
  'a blank first line is skipped': ['\n\nmessage,label\n', /line 3/],
};
for (const [name, [given, want]] of Object.entries(headers))
  test(`CSV header: ${name}`, () =>
    assert.rejects(read('CSV', given), { category: 'DataError', message: want }));

test('TSV: tabs separate, commas are content', async () => {
  const { rows } = await read('TSV', 'id\ttext\tlabel\n1\ta, b\tx\n2\t"a\t""b"""\ty\n');
  assert.deepEqual(rows, [row(2, 'a, b', 'x'), row(3, 'a\t"b"', 'y')]);
  await assert.rejects(read('TSV', 'text,label\na,x\n'), {
    category: 'DataError',
    message: /f line 1: no column "text"; the columns are "text,label"/,
    hint: /A TSV file .* separated by tabs/,
  });
});

const otherFormats: Record<string, Buffer> = {
  'compressed with gzip': Buffer.from([0x1f, 0x8b, 8, 0]),
  'a Parquet file': Buffer.from('PAR1....'),
  'UTF-16 text': Buffer.from('\ufefftext,label', 'utf16le'),
};
for (const [what, given] of Object.entries(otherFormats))
  test(`${what} is refused as such`, async () => {
    for (const format of ['JSONL', 'CSV', 'TSV'] as const)
      await assert.rejects(read(format, given), { category: 'DataError', message: `f is ${what}.` });
  });

test('UTF-16 without its mark is refused as such', async () => {
  for (const encoded of [
    Buffer.from('{"text": 1}', 'utf16le'),
    Buffer.from('{"text": 1}', 'utf16le').swap16(),
  ])
    for (const format of ['JSONL', 'CSV', 'Text'] as const)
      await assert.rejects(read(format, encoded), {
        category: 'DataError',
        message: 'f is UTF-16 or no text at all.',
      });
});

test('bad rows are listed up to a bound, and counted', () => {
  const bad = new BadRows('train.jsonl');
  bad.refuse();
  bad.add(7, 'no good');
  assert.throws(() => bad.refuse(), {
    category: 'DataError',
    message: 'train.jsonl line 7: no good (1 bad row in train.jsonl).',
  });
  for (let line = 8; line < 5000; line++) bad.add(line, 'y'.repeat(150));
  assert.throws(
    () => bad.refuse(),
    ({ message }: Error) =>
      message.length < 2048 && /line 8: y+; .*and \d+ more \(4993 bad rows in train.jsonl\)/.test(message),
  );
});
