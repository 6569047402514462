import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createMemoryCgroup, removeCgroup } from './cgroups.ts';

test('a process in a memory group sizes its heap by the limit, and the group can be removed', async () => {
  const name = `test-${process.pid}`;
  const bytes = 512 * 2 ** 20;
  const group = createMemoryCgroup(name, bytes);
  try {
    const script = 'console.log(process.constrainedMemory(), v8.getHeapStatistics().heap_size_limit)';
    const inGroup = ['-c', 'echo $$ > "$0" && exec "$@"', group, process.execPath, '-e', script];
    const { stdout } = await promisify(execFile)('sh', inGroup);
    const [memory, heap] = stdout.trim().split(' ').map(Number);
    assert.equal(memory, bytes);
    assert.ok(heap! <= bytes, String(heap));
  } finally {
    await removeCgroup(name);
  }
  assert.ok(!existsSync(group));
});
