/** A real API server with Pod Security "restricted" takes the Jobs and their pods, and what is done to them later. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { V1Job } from '@kubernetes/client-node';
import { endJob } from '../../../operator/decide/verdict.ts';
import { stages } from '../../../operator/manifests/names.ts';
import { runConfigOf } from '../../../operator/manifests/run-config.ts';
import { stageJob } from '../../../operator/manifests/stage-job.ts';
import { type ControlPlane, startControlPlane } from '../../cluster/control-plane.ts';
import { aJob, runtimeSpec } from '../builders.ts';

const namespace = 'team-a';
const offers: Record<string, object> = {
  'a plain offer': {},
  'an offer with everything': {
    imagePullSecrets: [{ name: 'registry' }],
    nodeSelector: { pool: 'gpu' },
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
    queueName: 'gpus',
  },
};
const claim = { persistentVolumeClaim: { claimName: 'shared', path: 'a/b' } };
const specs: Record<string, object> = {
  'S3 with credentials': {},
  'one claim for all': { model: claim, output: claim, dataset: { ...aJob().spec.dataset, source: claim } },
  'many labels': {
    dataset: {
      ...aJob().spec.dataset,
      labels: Array.from({ length: 256 }, (_, i) => `${'"é'.repeat(60)}${i}`),
    },
  },
};

describe('admission', () => {
  let plane: ControlPlane;
  const create = (object: object, ...flags: string[]) =>
    plane.kubectl(['create', '-o', 'json', '-f', '-', ...flags], { input: JSON.stringify(object) });
  before(async () => {
    plane = await startControlPlane('admission');
    const labels = {
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/enforce-version': 'latest',
    };
    await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
    // No controller makes it here, and a pod cannot be without.
    await create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } });
  });
  after(() => plane?.stop());

  function made(spec: object, offer: object, stage: (typeof stages)[number]): V1Job {
    const job = aJob(spec);
    const runtime = runtimeSpec(offer);
    const outcome = runConfigOf({
      job,
      runtime,
      stage,
      startTime: '2026-01-01T00:00:00Z',
      preflight: undefined,
    });
    assert.ok('config' in outcome);
    return stageJob({ job, runtime, stage, config: outcome.config });
  }

  for (const [offerName, offer] of Object.entries(offers)) {
    for (const [specName, spec] of Object.entries(specs)) {
      for (const stage of stages) {
        test(`${stage} with ${specName} from ${offerName}`, async () => {
          const job = made(spec, offer, stage);
          // Warnings are refusals of Pod Security that a Job is spared and its pods are not.
          await create(job, '--dry-run=server', '--warnings-as-errors', '--validate=strict');
          const { template } = job.spec!;
          const metadata = { ...template.metadata, name: 'pod', namespace };
          const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec };
          await create(pod, '--dry-run=server', '--warnings-as-errors', '--validate=strict');
        });
      }
    }
  }

  test('a Job can be suspended, resumed and ended for good', async () => {
    const { metadata } = JSON.parse(await create(made({}, {}, 'train'))) as V1Job;
    const patch = (body: object) =>
      plane.kubectl([
        'patch',
        'job',
        metadata!.name!,
        '-n',
        namespace,
        '--type=merge',
        '-o',
        'json',
        '-p',
        JSON.stringify(body),
      ]);
    for (const suspend of [true, false]) {
      assert.equal((JSON.parse(await patch({ spec: { suspend } })) as V1Job).spec?.suspend, suspend);
    }
    const end = endJob({ metadata: metadata! });
    assert.ok(end.kind === 'patch');
    assert.equal((JSON.parse(await patch(end.patch)) as V1Job).spec?.activeDeadlineSeconds, 1);
  });
});
