import type { Random } from '../../../trainer-image/data/random.ts';

const interesting = [
  '0',
  '-1',
  '1e308',
  '9007199254740993',
  '[]',
  '{}',
  '"',
  '\\u0000',
  'null',
  '"F16"',
  '"__proto__"',
];

/** One to four changes of a file: a byte flipped, the end cut off, a piece repeated or replaced. */
export function damage(bytes: Uint8Array, source: Random): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let changes = 1 + source.below(4); changes > 0 && result.length > 0; changes--) {
    const at = source.below(result.length);
    const insert = (text: string): Buffer =>
      Buffer.concat([
        result.subarray(0, at),
        Buffer.from(text, 'latin1'),
        result.subarray(at + source.below(4)),
      ]);
    switch (source.below(4)) {
      case 0:
        result[at] = source.below(256);
        break;
      case 1:
        result = result.subarray(0, at);
        break;
      case 2:
        result = insert(result.subarray(0, Math.min(at, 60)).toString('latin1'));
        break;
      default:
        result = insert(interesting[source.below(interesting.length)] as string);
    }
  }
  return result;
}
