import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { builds } from './binaries.ts';
import { startControlPlane } from './cluster.ts';

describe('control plane alone', { timeout: 300_000 }, () => {
  test('two run side by side, keep their data over a restart and leave no folder', async () => {
    const planes = await Promise.all([startControlPlane('one'), startControlPlane('two')]);
    const [one, two] = planes;
    try {
      await one.kubectl(['create', 'configmap', 'only-here']);
      await one.restartApiServer();
      assert.match(await one.kubectl(['get', 'configmap', 'only-here']), /only-here/);
      await assert.rejects(two.kubectl(['get', 'configmap', 'only-here']), /not found/);
    } finally {
      await Promise.all(planes.map((plane) => plane.stop()));
    }
    assert.deepEqual(
      planes.map((plane) => existsSync(plane.directory)),
      [false, false],
    );
  });
});

test('the versions that name the cache are those that go.mod pins', () => {
  for (const [tool, build] of Object.entries(builds)) {
    const text = readFileSync(join(import.meta.dirname, 'go', build.module, 'go.mod'), 'utf8');
    // The module of a package is the longest required path that the package's path begins with.
    const required = [...text.matchAll(/^\s*(?:require )?([\w./-]+) (v\S+)/gm)]
      .filter(([, path]) => `${build.package}/`.startsWith(`${path}/`))
      .sort((a, b) => b[1]!.length - a[1]!.length);
    assert.equal(required[0]?.[2], build.version, `${tool} in go/${build.module}/go.mod`);
  }
});
