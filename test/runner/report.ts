/** What `npm test` prints about files, failures and the whole. */
import type { FileResult } from './run-file.ts';

const linesOfOutput = 40;
const charactersOfMessage = 8000;
/** In the list at the end, of which more should fit on a page. */
const charactersInList = 1500;

export type Total = { passed: number; failed: number; skipped: number };

/** 75 -> "1 min 15 s", 2.345 -> "2.3 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** One line for a file; below it its failures with what it printed, and the tests it left out. */
export function fileReport({ file, passed, skipped, failures, notes, seconds, output }: FileResult): string {
  const bad = failures.length + skipped.length;
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  const lines = [`${bad > 0 ? '✖' : '✔'} ${file}: ${counts.join(', ')} (${duration(seconds)})`];
  for (const note of notes) lines.push(`  ℹ ${note}`);
  for (const { name, place, message } of failures)
    lines.push('', `  ✖ ${name}`, `    ${place}`, indent(shortened(message, charactersOfMessage), 4));
  for (const name of skipped) lines.push(`  ○ ${name}: skipped, which counts as a defect`);
  if (failures.length > 0 && output.trim() !== '') {
    const tail = output.trimEnd().split('\n').slice(-linesOfOutput).join('\n');
    lines.push('', '    Last lines that the file printed:', indent(tail, 4));
  }
  if (bad > 0) lines.push('');
  return lines.join('\n');
}

function shortened(text: string, characters: number): string {
  const half = characters / 2;
  if (text.length <= characters) return text;
  return `${text.slice(0, half)}\n[… ${text.length - characters} characters …]\n${text.slice(-half)}`;
}

function indent(text: string, width: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(width));
}

export function totalOf(results: readonly Pick<FileResult, 'passed' | 'failures' | 'skipped'>[]): Total {
  const sum = (count: (result: Pick<FileResult, 'passed' | 'failures' | 'skipped'>) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failures }) => failures.length),
    skipped: sum(({ skipped }) => skipped.length),
  };
}

/** All failures once more, with what was wrong: of a long log often only the end is kept. */
export function failureList(results: readonly FileResult[]): string {
  const lines = results.flatMap(({ file, failures, skipped }) => [
    ...failures.map(
      ({ name, place, message }) =>
        `✖ ${file}: ${name}\n${indent(`${place}\n${shortened(message, charactersInList)}`, 4)}`,
    ),
    ...skipped.map((name) => `○ ${file}: ${name}`),
  ]);
  return lines.length > 0 ? `\nNot passed:\n${lines.join('\n')}` : '';
}

/** The last line of `npm test`. */
export function lastLine({ passed, failed, skipped }: Total): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** 0 only when something ran, nothing failed and nothing was left out. */
export function exitCode({ passed, failed, skipped }: Total): 0 | 1 {
  return passed > 0 && failed === 0 && skipped === 0 ? 0 : 1;
}
