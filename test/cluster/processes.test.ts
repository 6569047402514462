import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';
import { withLock } from './lock.ts';
import { childrenOf, isAlive, ProcessTable, spawnLogged, stopProcess } from './processes.ts';
import { waitFor } from './wait.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'finetune-processes-'));
});
after(() => rm(directory, { recursive: true }));

test('a recorded process is found, stopped by force when it ignores SIGTERM, and its log is kept', async () => {
  const logFile = join(directory, 'stubborn.log');
  const script = 'trap "" TERM; echo started; while true; do sleep 0.1; done';
  const { record } = await spawnLogged('bash', ['-c', script], logFile, { detached: true });
  const table = new ProcessTable(join(directory, 'table'));
  table.write('stubborn', record);
  assert.deepEqual(table.names(), ['stubborn']);
  const found = await table.read('stubborn');
  assert.ok(isAlive(found));
  await waitFor('its child', async () => childrenOf(found.pid).length === 1, { timeoutMs: 5000 });
  await stopProcess(found, 300);
  assert.equal(isAlive(found), false);
  assert.equal(await run('cat', [logFile]), 'started\n');
});

test('a record of an earlier process with the same id is not taken for the present one', async () => {
  const { child, record } = await spawnLogged('sleep', ['60'], join(directory, 'sleep.log'), {
    detached: false,
  });
  const older = { ...record, startTime: `${record.startTime}0` };
  assert.equal(isAlive(older), false);
  await stopProcess(older, 100);
  assert.ok(isAlive(record));
  child.kill();
});

test('a wait that fails names the log and quotes its end', async () => {
  const logFile = join(directory, 'server.log');
  await writeFile(logFile, 'first\nport in use\n');
  const never = waitFor('the server', () => Promise.reject(new Error('no answer')), {
    timeoutMs: 200,
    logFile,
  });
  await assert.rejects(
    never,
    /^Error: the server: not there after 0.2 s \(no answer\)\nEnd of .*server.log:\nfirst\nport in use$/,
  );
  const hopeless = async () => 'it has ended';
  await assert.rejects(
    waitFor('the server', async () => false, { timeoutMs: 60_000, hopeless }),
    /it has ended/,
  );
});

test('a command that fails says what was run and what it said; one that hangs is ended', async () => {
  await assert.rejects(run('sh', ['-c', 'echo broken >&2; exit 3']), /sh -c .*: ended with 3\nbroken/);
  await assert.rejects(run('no-such-command', []), /ENOENT/);
  await assert.rejects(run('sleep', ['60'], { timeoutMs: 100 }), /took longer than 0.1 s/);
});

test('one at a time holds the lock, and the lock of a killed process is free', async () => {
  const lock = join(directory, 'lock');
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await sleep(50);
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withLock(lock, () => {}, work)));
  assert.equal(most, 1);

  const held = join(directory, 'held');
  const script = `
    const { withLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
    const { writeFileSync } = await import('node:fs');
    await withLock(${JSON.stringify(lock)}, () => {}, async () => {
      writeFileSync(${JSON.stringify(held)}, '');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  const args = ['--input-type=module', '--eval', script];
  const { record } = await spawnLogged(process.execPath, args, join(directory, 'holder.log'), {
    detached: false,
  });
  await waitFor('the other process', async () => existsSync(held), { timeoutMs: 10_000 });
  const lines: string[] = [];
  const waiting = withLock(lock, (line) => lines.push(line), work);
  await sleep(300);
  assert.match(lines[0] ?? '', /waiting for it/);
  await stopProcess(record, 0);
  await waiting;
});
