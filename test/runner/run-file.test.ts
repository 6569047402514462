/** The runner is tried on files that do what test files should not do. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type FileResult, runFile } from './run-file.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'finetune-runner-'));
});
after(() => rmSync(folder, { recursive: true }));

const header = `
  import assert from 'node:assert/strict';
  import { after, before, suite, test } from 'node:test';
`;

/** Runs a file with this content. Without NODE_TEST_CONTEXT, which would make it part of our own run. */
async function outcome(
  name: string,
  body: string,
  options: { timeoutSeconds?: number; signal?: AbortSignal } = {},
) {
  const file = `${name}.test.mjs`;
  writeFileSync(join(folder, file), `${header}${body}`);
  const context = process.env['NODE_TEST_CONTEXT'];
  delete process.env['NODE_TEST_CONTEXT'];
  try {
    return await runFile(file, { root: folder, timeoutSeconds: 30, killAfterMs: 500, ...options });
  } finally {
    if (context !== undefined) process.env['NODE_TEST_CONTEXT'] = context;
  }
}

const failuresOf = ({ failures }: FileResult) => failures.map(({ name }) => name);

test('passed tests are counted, suites are not', async () => {
  const result = await outcome('good', `test('a', () => {}); suite('s', () => { test('b', () => {}); });`);
  assert.deepEqual([result.passed, result.failures, result.skipped], [2, [], []]);
});

test('what a test tells with t.diagnostic is kept, the summary of node:test is not', async () => {
  const result = await outcome('notes', `test('a', (t) => t.diagnostic('seven files'));`);
  assert.deepEqual(result.notes, ['seven files']);
});

test('a failure has the path of its suites, its line and the difference', async () => {
  const result = await outcome(
    'bad',
    `suite('outer', () => { suite('inner', () => { test('sum', () => assert.equal(1 + 1, 3)); test('fine', () => {}); }); });`,
  );
  assert.equal(result.passed, 1);
  assert.deepEqual(failuresOf(result), ['outer > inner > sum']);
  assert.match(result.failures[0]!.place, /bad\.test\.mjs:4$/);
  assert.match(result.failures[0]!.message, /2 !== 3/);
  assert.doesNotMatch(result.failures[0]!.message, /node:internal/);
});

test('a hook that fails is a failure, also after tests that passed', async () => {
  const result = await outcome(
    'hooks',
    `suite('late', () => { after(() => { throw new Error('after'); }); test('a', () => {}); });
     suite('early', () => { before(() => { throw new Error('before'); }); test('b', () => {}); });`,
  );
  assert.equal(result.passed, 1);
  assert.deepEqual(failuresOf(result).toSorted(), ['early', 'early > b', 'late']);
});

test('skipped and todo tests are named', async () => {
  const result = await outcome(
    'left-out',
    `test('a', { skip: 'later' }, () => {}); test('b', { todo: true }, () => { throw new Error(); }); test('c', () => {});`,
  );
  assert.deepEqual([result.passed, result.failures, result.skipped], [1, [], ['a', 'b']]);
});

test('a file without a test fails', async () => {
  const result = await outcome('empty', '');
  assert.equal(result.failures[0]?.message, 'the file holds no test');
});

test('a file that cannot be loaded fails, with what it printed', async () => {
  const result = await outcome('broken', `throw new Error('no such luck');`);
  assert.match(result.failures[0]!.message, /exit code 1/);
  assert.match(result.output, /no such luck/);
});

test('a process that dies in the middle fails and names the test that ran', async () => {
  const result = await outcome(
    'crash',
    `test('tick', async () => { setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 300); await new Promise((end) => setTimeout(end, 5000)); });`,
  );
  assert.match(result.failures.at(-1)!.message, /SIGSEGV.*running then: tick/);
});

test('a test that does not end is stopped and named', async () => {
  const body = `test('quick', () => {}); test('endless', () => new Promise((end) => setTimeout(end, 100_000)));`;
  const result = await outcome('endless', body, { timeoutSeconds: 2 });
  assert.match(
    result.failures.at(-1)!.message,
    /had not ended after 2 s and was stopped; running then: endless/,
  );
  assert.ok(result.seconds < 10);
});

test('a process that is kept alive after its tests is stopped', async () => {
  const result = await outcome('leak', `test('a', () => {}); setTimeout(() => {}, 100_000);`, {
    timeoutSeconds: 2,
  });
  assert.deepEqual([result.passed, failuresOf(result)], [1, ['leak.test.mjs']]);
  assert.match(result.failures[0]!.message, /something kept it alive/);
});

test('a process that ignores SIGTERM is killed', { timeout: 60_000 }, async () => {
  const result = await outcome(
    'stubborn',
    `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); test('a', () => {});`,
    {
      timeoutSeconds: 2,
    },
  );
  assert.match(result.failures[0]!.message, /was stopped/);
});

test('an interruption ends the file', async () => {
  const signal = AbortSignal.timeout(1000);
  const result = await outcome(
    'interrupted',
    `test('a', () => new Promise((end) => setTimeout(end, 100_000)));`,
    { signal },
  );
  assert.match(result.failures.at(-1)!.message, /it was interrupted/);
});
