import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linesOf } from '../../../operator/kube/lines.ts';

async function* chunks(...parts: string[]) {
  for (const part of parts) yield Buffer.from(part);
}
async function collect(...parts: string[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(chunks(...parts))) lines.push(line);
  return lines;
}

describe('lines', () => {
  it('come whole, however they are cut, also within a character', async () => {
    const bytes = Buffer.from('{"a":"ö"}\n');
    async function* cut() {
      for (const byte of bytes) yield Buffer.from([byte]);
    }
    const lines: string[] = [];
    for await (const line of linesOf(cut())) lines.push(line);
    assert.deepEqual(lines, ['{"a":"ö"}']);
    assert.deepEqual(await collect('a\nb', 'c\n\n', 'd\n'), ['a', 'bc', 'd']);
  });
  it('that have no end are an error', async () => {
    await assert.rejects(collect('a\n', 'half'), /ended within a line/);
  });
});
