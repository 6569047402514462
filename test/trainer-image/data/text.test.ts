import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { maxRowBytes } from '../../../trainer-image/data/record.ts';
import { readRows } from '../../../trainer-image/data/rows.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-text-'));
});
after(() => rm(folder, { recursive: true }));

async function read(content: string | Buffer, name = 'f.txt') {
  const file = join(folder, 'file');
  await writeFile(file, content);
  const bad: [number, string][] = [];
  const { readRow } = maskedLM({ probability: 0.15, wholeWord: false });
  const onBadRow = (line: number, reason: string) => bad.push([line, reason]);
  const columns = { text: 'text' };
  const rows = await Array.fromAsync(readRows(file, { name, format: 'Text', columns, readRow, onBadRow }));
  return { rows: rows.map(({ line, text }) => [line, text]), bad };
}

test('each line that is not blank is a text; quotes, tabs and braces are content', async () => {
  assert.deepEqual(await read('\ufeffone\r\n\n \t \n"two", {3}\t\n\rlast'), {
    rows: [
      [1, 'one'],
      [4, '"two", {3}\t'],
      [5, '\rlast'],
    ],
    bad: [],
  });
  assert.deepEqual((await read(gzipSync('one\ntwo'), 'f.txt.gz')).rows, [
    [1, 'one'],
    [2, 'two'],
  ]);
  assert.deepEqual(await read(''), { rows: [], bad: [] });
});

test('what is no text is named by its line, and the next line is read', async () => {
  const long = Buffer.alloc(maxRowBytes + 1, 'x');
  const content = [Buffer.from('caf\xe9\n\0\n', 'latin1'), long, Buffer.from('\ngood\n')];
  assert.deepEqual(await read(Buffer.concat(content)), {
    rows: [[4, 'good']],
    bad: [
      [1, 'not valid UTF-8'],
      [2, '"text" contains a NUL character'],
      [3, `longer than ${maxRowBytes} bytes`],
    ],
  });
});
