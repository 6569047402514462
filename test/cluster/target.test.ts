import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { afterEach, describe, test } from 'node:test';
import { busyboxImage, ensureBusyboxImage } from './busybox-image.ts';
import { startCluster, stopCluster } from './cluster.ts';
import { EmbeddedCluster } from './embedded.ts';
import { kindAnswers } from './kind.ts';
import { chooseTarget } from './target.ts';

const name = 'context-test';

describe('where the cluster runs', { timeout: 300_000 }, () => {
  afterEach(async () => {
    await stopCluster(name);
    for (const variable of ['FINETUNE_KUBE_CONTEXT', 'FINETUNE_LOAD_IMAGE', 'KUBECONFIG'])
      delete process.env[variable];
  });

  test('without a context it is kind where an engine answers, else the embedded cluster', async () => {
    assert.equal(await chooseTarget(), (await kindAnswers()) ? 'kind' : 'embedded');
  });

  test('a context is joined as it is, and pods reach the S3 server on this machine', async () => {
    const existing = await EmbeddedCluster.start('test', console.error);
    process.env['KUBECONFIG'] = existing.kubeconfig;
    process.env['FINETUNE_KUBE_CONTEXT'] = 'finetune';
    assert.equal(await chooseTarget(), 'context');
    const joined = await startCluster(name);
    assert.equal(joined.nodeName, existing.nodeName);

    await existing.loadImage(await ensureBusyboxImage(), busyboxImage);
    await assert.rejects(joined.loadImage('/tmp/none.tar', 'a:1'), /FINETUNE_LOAD_IMAGE/);
    process.env['FINETUNE_LOAD_IMAGE'] = 'test "$REFERENCE" = a:1';
    await joined.loadImage('/tmp/none.tar', 'a:1');

    await joined.kubectl(['delete', 'pod', name, '--ignore-not-found', '--now'], { timeoutMs: 60_000 });
    const script = ['--command', '--', 'sh', '-c', `wget -q -O - ${joined.s3.endpoint} 2>&1; true`];
    const attach = ['run', name, `--image=${busyboxImage}`, '--restart=Never', '--attach', '--rm', '--quiet'];
    assert.match(await joined.kubectl([...attach, ...script], { timeoutMs: 60_000 }), /403/);

    await joined.stop();
    assert.equal(existsSync(joined.directory), false);
    await assert.rejects(fetch(joined.s3.endpoint));
    assert.match(await existing.kubectl(['get', 'nodes']), /Ready/);
  });
});
