/** Text and numbers from outside, made fit for status: clean, bounded, never NaN. */

/** Control characters, lone surrogates, and the marks that turn the direction of text around. */
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
/** Terminal sequences as a whole, so that no "[31m" stays behind. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what has to go
const terminalSequence = /\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)?|.)/g;

/** Bytes of a value as JSON, in UTF-8. */
export function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/** One line without control characters, at most `maxBytes` as JSON without its quotes. Its start is kept. */
export function line(text: string, maxBytes: number): string {
  const clean = text.replace(terminalSequence, '').replace(/\s+/g, ' ').replace(unprintable, '').trim();
  const [kept, whole] = fitting([...clean], maxBytes);
  return whole ? clean : `${kept.join('')}…`;
}

/** Lines without other control characters, at most `maxBytes` as JSON without its quotes. Their end is kept. */
export function tail(text: string, maxBytes: number): string {
  const clean = text
    .replace(terminalSequence, '')
    .split(/\r\n|\r|\n/)
    .map((one) => one.replaceAll('\t', ' ').replace(unprintable, '').trimEnd())
    .join('\n')
    .trim();
  const [kept, whole] = fitting([...clean].reverse(), maxBytes);
  return whole ? clean : `…${kept.reverse().join('')}`;
}

/** The leading characters that fit, and whether those are all; room for the mark of a cut is kept. */
function fitting(characters: string[], maxBytes: number): [string[], boolean] {
  const sizes = characters.map((character) => jsonBytes(character) - 2);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= maxBytes) return [characters, true];
  let room = maxBytes - (jsonBytes('…') - 2);
  const end = sizes.findIndex((size) => {
    room -= size;
    return room < 0;
  });
  return [characters.slice(0, Math.max(0, end)), false];
}

/** The leading items that fit into `maxBytes` as JSON. */
export function leading<T>(items: readonly T[], maxBytes: number): T[] {
  let room = maxBytes;
  const end = items.findIndex((item) => {
    room -= jsonBytes(item) + 1;
    return room < 0;
  });
  return end === -1 ? [...items] : items.slice(0, end);
}

/** Six significant digits, as text; undefined for what is missing or not finite. */
export function decimal(value: number | null | undefined): string | undefined {
  if (value === undefined || value === null || !Number.isFinite(value)) return undefined;
  return String(Number(value.toPrecision(6)) + 0);
}

/** A whole number of at least 0; undefined for what is missing or not finite. */
export function count(value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(value)));
}

/** Seconds as people write them, in the two largest units: "45s", "4m10s", "2h5m", "3d4h"; undefined as `count` has it. */
export function duration(seconds: number | undefined): string | undefined {
  let left = count(seconds);
  if (left === undefined) return undefined;
  const parts: string[] = [];
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (parts.length > 0 || amount > 0) parts.push(`${amount}${unit}`);
  }
  return (
    parts
      .slice(0, 2)
      .join('')
      .replace(/(\D)0\D$/, '$1') || '0s'
  );
}
