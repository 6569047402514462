import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, exitCode, failureList, fileReport, lastLine, totalOf } from './report.ts';
import type { FileResult } from './run-file.ts';

const result = (change: Partial<FileResult> = {}): FileResult => ({
  file: 'test/a.test.ts',
  passed: 2,
  skipped: [],
  failures: [],
  notes: [],
  seconds: 1.25,
  output: 'noise\n',
  ...change,
});
const failure = { name: 'sum', place: 'test/a.test.ts:7', message: 'Error: 2 !== 3\n    at a.test.ts:7' };

test('the last line, and the exit code that goes with it', () => {
  const cases = [
    { results: [result(), result()], line: '4 passed, 0 failed', code: 0 },
    { results: [result({ failures: [failure] })], line: '2 passed, 1 failed', code: 1 },
    { results: [result({ skipped: ['later'] })], line: '2 passed, 0 failed, 1 skipped', code: 1 },
    { results: [], line: '0 passed, 0 failed', code: 1 },
  ];
  for (const { results, line, code } of cases) {
    assert.equal(lastLine(totalOf(results)), line);
    assert.equal(exitCode(totalOf(results)), code, line);
  }
});

test('a file that passed is one line, without what it printed', () => {
  assert.equal(fileReport(result()), '✔ test/a.test.ts: 2 passed (1.3 s)');
});

test('a failure comes with place, message and the last lines that were printed', () => {
  assert.equal(
    fileReport(result({ failures: [failure] })),
    [
      '✖ test/a.test.ts: 2 passed, 1 failed (1.3 s)',
      '',
      '  ✖ sum',
      '    test/a.test.ts:7',
      '    Error: 2 !== 3',
      '        at a.test.ts:7',
      '',
      '    Last lines that the file printed:',
      '    noise',
      '',
    ].join('\n'),
  );
});

test('a message of many pages keeps its begin and its end', () => {
  const report = fileReport(result({ failures: [{ ...failure, message: `begin${'x'.repeat(20_000)}end` }] }));
  assert.match(report, /begin[\s\S]*\[… 12008 characters …\][\s\S]*end/);
});

test('what a test told is shown', () => {
  assert.match(fileReport(result({ notes: ['300 lines: a.ts'] })), /\n {2}ℹ 300 lines: a\.ts$/);
});

test('a skipped test is shown as a defect', () => {
  assert.match(fileReport(result({ skipped: ['later'] })), /^✖ .*2 passed, 1 skipped[\s\S]*○ later: skipped/);
});

test('failures are listed once more at the end, with their messages', () => {
  assert.equal(failureList([result()]), '');
  const list = failureList([result({ failures: [failure], skipped: ['later'] })]);
  assert.deepEqual(list.split('\n'), [
    '',
    'Not passed:',
    '✖ test/a.test.ts: sum',
    '    test/a.test.ts:7',
    '    Error: 2 !== 3',
    '        at a.test.ts:7',
    '○ test/a.test.ts: later',
  ]);
});

test('durations are short', () => {
  assert.deepEqual(
    [duration(0.04), duration(59.44), duration(60), duration(119.8)],
    ['0.0 s', '59.4 s', '1 min 0 s', '2 min 0 s'],
  );
});
