/** Words of real e-mails with tags of dates, sums of money, and addresses of web and mail; patterns set the tags. */
import type { Email } from './emails.ts';

export type TaggedWords = { tokens: string[]; tags: string[] };

const months = 'jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec';
const monthNames = 'january|february|march|april|june|july|august|september|october|november|december';
const days = 'monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun';
const month = `(?:${monthNames}|${months})\\.?`;
const day = '(?:[0-3]?\\d(?:st|nd|rd|th)?)';
const year = '(?:(?:19|20)\\d\\d)';

/** Type -> where it stands in a text of words with single spaces; the first type that fits wins. */
const patterns: readonly [type: string, pattern: RegExp][] = [
  ['WEB', /(?<= |^)(?:https?:\/\/|www\.)[^ ]+/gi],
  ['MAIL', /(?<= |^)[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?= |$)/gi],
  ['MONEY', /(?<= |^)\$ ?\d[\d,.]*(?: (?:million|billion|thousand|dollars|usd))?(?= |$)/gi],
  [
    'DATE',
    new RegExp(
      `(?<= |^)(?:(?:${days})(?: ,)? )?(?:${day} ${month}(?: ${year})?|${month} ${day}(?:(?: ,)? ${year})?)(?= |$)`,
      'gi',
    ),
  ],
  ['DATE', /(?<= |^)(?:19|20)\d\d-\d\d-\d\d(?= |$)/g],
];

const windowWords = 30;

/** Runs of at most 30 words that hold something to find, at most two of each e-mail. */
export function taggedWords(emails: readonly Email[]): TaggedWords[] {
  return emails.flatMap(({ text }) => {
    const words = text.split(/\s+/).flatMap(withoutPunctuation);
    const starts = Array.from({ length: Math.ceil(words.length / windowWords) }, (_, i) => i * windowWords);
    return starts
      .map((start) => tagged(words.slice(start, start + windowWords)))
      .filter(({ tags }) => tags.some((tag) => tag !== 'O'))
      .slice(0, 2);
  });
}

/** "(noon)," are four words: brackets, quotes and commas around a word stand for themselves. */
function withoutPunctuation(word: string): string[] {
  const [, before = '', inner = '', after = ''] = /^([("'<[]*)(.*?)([)"'>\],;:!?.]*)$/.exec(word) ?? [];
  return [...before, inner, ...after].filter((part) => part !== '');
}

function tagged(tokens: string[]): TaggedWords {
  const starts: number[] = [];
  let length = 0;
  for (const token of tokens) {
    starts.push(length);
    length += token.length + 1;
  }
  const tags = tokens.map(() => 'O');
  const text = tokens.join(' ');
  for (const [type, pattern] of patterns) {
    for (const { index, 0: found } of text.matchAll(pattern)) {
      const places = [...starts.keys()].filter(
        (i) => starts[i]! >= index && starts[i]! < index + found.length,
      );
      if (places.some((i) => tags[i] !== 'O')) continue;
      for (const i of places) tags[i] = `${i === places[0] ? 'B' : 'I'}-${type}`;
    }
  }
  return { tokens, tags };
}

export function asTaggedLines(rows: readonly TaggedWords[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
