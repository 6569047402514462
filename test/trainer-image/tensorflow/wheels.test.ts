import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { runCommand } from '../../../trainer-image/tensorflow/command.ts';
import { requirementsFile, unpackWheel } from '../../../trainer-image/tensorflow/wheels.ts';

const log = () => {};
let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'finetune-wheels-'));
});
after(() => rm(directory, { recursive: true, force: true }));

describe('the pinned wheels', () => {
  for (const variant of ['cpu', 'gpu'] as const) {
    test(`of the ${variant} variant have one version and one sha256 sum each`, async () => {
      const lines = (await readFile(requirementsFile(variant), 'utf8')).split('\n');
      const pins = lines.filter((line) => line !== '' && !line.startsWith('#'));
      assert.ok(pins.some((line) => line.startsWith('tensorflow')));
      for (const line of pins) assert.match(line, /^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
    });
  }
});

test('of a wheel only the members that match a pattern are unpacked', async () => {
  const wheel = join(directory, 'some-1.0.whl');
  const make = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for name in ['p/lib.so.2', 'p/include/a/b.h', 'p/include.py', 'p/other.so']: z.writestr(name, name)`;
  await promisify(execFile)('python3', ['-c', make, wheel]);
  const target = join(directory, 'unpacked');
  await unpackWheel(wheel, ['p/lib.so.2', 'p/include/*'], target, log);
  const files = await readdir(target, { recursive: true, withFileTypes: true });
  const names = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  assert.deepEqual(names.sort(), [join(target, 'p/include/a/b.h'), join(target, 'p/lib.so.2')]);
});

test('a wheel that is no zip file is named in the error', async () => {
  await assert.rejects(unpackWheel(requirementsFile('cpu'), ['*'], directory, log), {
    message: /unpacking requirements-cpu\.txt failed: .*exit code 1[\s\S]*BadZipFile/,
  });
});

describe('a build command', () => {
  const run = (script: string, timeoutMs = 10_000) =>
    runCommand('sh', ['-c', script], { what: 'the step', timeoutMs, log });

  test('that fails is reported with its exit code and the end of its output', async () => {
    await assert.rejects(run('seq 100; echo reason >&2; exit 3'), (error: Error) => {
      assert.match(error.message, /^the step failed: sh ended with exit code 3\n/);
      assert.match(error.message, /\n100\n/);
      assert.match(error.message, /reason/);
      assert.doesNotMatch(error.message, /\n50\n/);
      return true;
    });
  });

  test('that takes too long is killed', async () => {
    await assert.rejects(run('exec sleep 30', 200), {
      message: /the step failed: sh ended with SIGKILL after \d s/,
    });
  });

  test('that is not installed is named', async () => {
    const options = { what: 'the step', timeoutMs: 1000, log };
    await assert.rejects(runCommand('no-such-compiler', [], options), {
      message: /the step failed: .*no-such-compiler/,
    });
  });
});
