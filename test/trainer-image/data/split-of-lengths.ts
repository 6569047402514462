import { EncodedRows, type EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import { scratchFolder } from './scratch.ts';

/** Row r has the given number of tokens, all of them r + 1, and the label r % 3. */
export function splitOf(lengths: readonly number[]): EncodedSplit {
  const rows = new EncodedRows(scratchFolder());
  const offsets = Int32Array.from([0, ...lengths]);
  for (let row = 1; row < offsets.length; row++)
    offsets[row] = (offsets[row] as number) + (offsets[row - 1] as number);
  const ids = Int32Array.from(lengths.flatMap((length, row) => new Array<number>(length).fill(row + 1)));
  rows.append(
    lengths.map((_, row) => ({ line: row + 1, text: `text ${row}`, labels: [`${row % 3}`] })),
    {
      ids,
      typeIds: new Uint8Array(ids.length),
      offsets,
      words: new Int32Array(ids.length),
      fullLengths: Int32Array.from(lengths),
      unknown: new Int32Array(lengths.length),
    },
    lengths.map((_, row) => [row % 3]),
  );
  const tokens = { padTokenId: 999, maskTokenId: 998, vocabularySize: 1000 };
  return rows.finish('train.jsonl', tokens, Int32Array.from([0, 1, 2]));
}
