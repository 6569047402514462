/** Text and numbers from outside, made fit for status: clean, bounded, never NaN. */

/** Control characters, lone surrogates, and the marks that turn the direction of text around. */
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
/** Terminal sequences as a whole, so that no "[31m" stays behind. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what has to go
const terminalSequence = /\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)?|.)/g;

/** Bytes of a value as JSON, in UTF-8. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** One line without control characters, at most `maxBytes` as JSON without its quotes. Its start is kept. */
export function line(text: string, maxBytes: number): string {
  const clean = text.replace(terminalSequence, '').replace(/\s+/g, ' ').replace(unprintable, '').trim();
  return fits(clean, maxBytes) ? clean : `${leadingCharacters([...clean], maxBytes).join('')}…`;
}

/** Lines without other control characters, at most `maxBytes` as JSON without its quotes. Their end is kept. */
export function tail(text: string, maxBytes: number): string {
  const clean = text
    .replace(terminalSequence, '')
    .split(/\r\n|\r|\n/)
    .map((one) => one.replaceAll('\t', ' ').replace(unprintable, '').trimEnd())
    .join('\n')
    .trim();
  if (fits(clean, maxBytes)) return clean;
  return `…${leadingCharacters([...clean].reverse(), maxBytes)
    .reverse()
    .join('')}`;
}

function fits(text: string, maxBytes: number): boolean {
  return bytesWithin(text) <= maxBytes;
}

/** Bytes of a text as JSON, without its quotes. */
function bytesWithin(text: string): number {
  return jsonBytes(text) - 2;
}

/** The leading characters for which there is room beside the mark of a cut. */
function leadingCharacters(characters: string[], maxBytes: number): string[] {
  let room = maxBytes - bytesWithin('…');
  const end = characters.findIndex((character) => {
    room -= bytesWithin(character);
    return room < 0;
  });
  return characters.slice(0, Math.max(0, end));
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
