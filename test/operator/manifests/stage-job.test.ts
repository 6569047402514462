/** The objects that the operator makes: what is in them, and that nobody can abuse them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Container, V1Job, V1PodSpec } from '@kubernetes/client-node';
import { failures } from '../../../crds/failures.ts';
import { httpPort, paths, runConfig } from '../../../crds/trainer-contract.ts';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { type Stage, stageName, stages } from '../../../operator/manifests/names.ts';
import { runConfigOf } from '../../../operator/manifests/run-config.ts';
import { stageJob } from '../../../operator/manifests/stage-job.ts';
import { aJob, jobUid, runtimeSpec } from '../builders.ts';

function made(stage: Stage, spec: object = {}, runtime: object = {}): V1Job {
  return madeFor(aJob(spec), stage, runtime);
}

function madeFor(job: FineTuneJob, stage: Stage, runtime: object): V1Job {
  const offer = runtimeSpec(runtime);
  const outcome = runConfigOf({
    job,
    runtime: offer,
    stage,
    startTime: '2026-01-01T00:00:00Z',
    preflight: undefined,
  });
  assert.ok('config' in outcome, 'problem' in outcome ? outcome.problem : '');
  return stageJob({ job, runtime: offer, stage, config: outcome.config });
}

function podOf(job: V1Job): V1PodSpec {
  return job.spec!.template.spec!;
}

function containerOf(job: V1Job): V1Container {
  return podOf(job).containers[0]!;
}

const claim = (claimName: string, path?: string) => ({
  persistentVolumeClaim: { claimName, ...(path && { path }) },
});
const rich = {
  imagePullSecrets: [{ name: 'registry' }],
  nodeSelector: { 'nvidia.com/gpu.product': 'H100' },
  tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
  runtimeClassName: 'nvidia',
  queueName: 'gpus',
};

/** Each rule of the Pod Security Standard "restricted", as a sentence and what a pod must not be. */
const restricted: Record<string, (pod: V1PodSpec, container: V1Container) => boolean> = {
  'no namespace of the host': (pod) => !pod.hostNetwork && !pod.hostPID && !pod.hostIPC,
  'no port of the host': (_, { ports = [] }) => ports.every(({ hostPort }) => hostPort === undefined),
  'not privileged': (_, { securityContext }) => !securityContext?.privileged,
  'no privilege escalation': (_, { securityContext }) => securityContext?.allowPrivilegeEscalation === false,
  'all capabilities dropped': (_, { securityContext }) =>
    securityContext?.capabilities?.drop?.includes('ALL') === true &&
    securityContext.capabilities.add === undefined,
  'not root': ({ securityContext }) =>
    securityContext?.runAsNonRoot === true && securityContext.runAsUser !== 0,
  'seccomp profile': ({ securityContext }) => securityContext?.seccompProfile?.type === 'RuntimeDefault',
  'no sysctl, default procMount': ({ securityContext }, container) =>
    securityContext?.sysctls === undefined && container.securityContext?.procMount === undefined,
  'only harmless volumes': ({ volumes = [] }) => {
    const harmless = [
      'name',
      'configMap',
      'downwardAPI',
      'emptyDir',
      'persistentVolumeClaim',
      'projected',
      'secret',
    ];
    return volumes.every((volume) => Object.keys(volume).every((key) => harmless.includes(key)));
  },
  'no API token': (pod) => pod.automountServiceAccountToken === false && pod.serviceAccountName === undefined,
  'read-only root file system': (_, { securityContext }) => securityContext?.readOnlyRootFilesystem === true,
  'requests and limits': (_, { resources }) =>
    ['cpu', 'memory'].every(
      (name) => resources?.requests?.[name] !== undefined && resources.limits?.[name] !== undefined,
    ),
};

for (const stage of stages) {
  for (const [rule, keeps] of Object.entries(restricted)) {
    test(`${stage}: ${rule}`, () => {
      for (const runtime of [{}, rich]) {
        const job = made(stage, { model: claim('models'), output: claim('models', 'out') }, runtime);
        assert.ok(keeps(podOf(job), containerOf(job)));
        assert.deepEqual([podOf(job).containers.length, podOf(job).initContainers], [1, undefined]);
      }
    });
  }
}

test('only the train pod asks for an accelerator and for nodes that have one', () => {
  const train = made('train', {}, rich);
  assert.equal(containerOf(train).resources?.limits?.['nvidia.com/gpu'], '1');
  assert.equal(containerOf(train).resources?.requests?.['nvidia.com/gpu'], '1');
  assert.deepEqual(podOf(train).nodeSelector, rich.nodeSelector);
  assert.deepEqual(podOf(train).tolerations, rich.tolerations);
  assert.equal(podOf(train).runtimeClassName, 'nvidia');
  const preflight = made('preflight', {}, rich);
  assert.equal(containerOf(preflight).resources?.limits?.['nvidia.com/gpu'], undefined);
  const { nodeSelector, tolerations, runtimeClassName } = podOf(preflight);
  assert.deepEqual([nodeSelector, tolerations, runtimeClassName], [undefined, undefined, undefined]);
});

const withClaim = {
  model: { model: claim('models') },
  dataset: { dataset: { ...aJob().spec.dataset, source: claim('data') } },
  output: { output: claim('runs') },
};
for (const [role, spec] of Object.entries(withClaim)) {
  test(`a claim of the ${role} holds preflight to the nodes of trainers, and it asks for no accelerator`, () => {
    const preflight = made('preflight', spec, rich);
    const { nodeSelector, tolerations, runtimeClassName } = podOf(preflight);
    assert.deepEqual([nodeSelector, tolerations], [rich.nodeSelector, rich.tolerations]);
    assert.equal(runtimeClassName, undefined);
    assert.equal(containerOf(preflight).resources?.limits?.['nvidia.com/gpu'], undefined);
  });
}

test('a pod without an accelerator sees none', () => {
  const visible = (job: V1Job) =>
    containerOf(job).env?.find(({ name }) => name === 'NVIDIA_VISIBLE_DEVICES')?.value;
  assert.equal(visible(made('preflight')), 'void');
  assert.equal(visible(made('train')), undefined);
  const cpuOnly = made('train', { resources: { gpus: 0 } });
  assert.equal(visible(cpuOnly), 'void');
  assert.equal(containerOf(cpuOnly).resources?.limits?.['nvidia.com/gpu'], undefined);
});

test('resources: the job may ask for less, the runtime is the limit of the CPU', () => {
  const { resources } = containerOf(made('train', { resources: { cpu: '500m', memory: '2Gi', gpus: 0 } }));
  assert.deepEqual(resources, {
    requests: { cpu: '500m', memory: '2Gi' },
    limits: { cpu: '2', memory: '2Gi' },
  });
  const preflight = containerOf(made('preflight', { resources: { memory: '4Gi' } })).resources;
  assert.deepEqual(preflight?.limits, { cpu: '1', memory: '2Gi' });
});

test('any resource name of the runtime is taken as it is', () => {
  const job = made('train', {}, { accelerator: { resourceName: 'nvidia.com/mig-1g.10gb' } });
  assert.equal(containerOf(job).resources?.limits?.['nvidia.com/mig-1g.10gb'], '1');
});

const queueName = 'kueue.x-k8s.io/queue-name';
const priorityClass = 'kueue.x-k8s.io/priority-class';
const queues: Record<string, { labels: Record<string, string>; runtime: object; want: string[] }> = {
  'no queue': { labels: {}, runtime: {}, want: [] },
  'the queue of the runtime': { labels: {}, runtime: { queueName: 'gpus' }, want: ['gpus'] },
  'the queue of the job': { labels: { [queueName]: 'team-a' }, runtime: {}, want: ['team-a'] },
  'both: the job names its own': {
    labels: { [queueName]: 'team-a' },
    runtime: { queueName: 'gpus' },
    want: ['team-a'],
  },
  'an empty label is none': { labels: { [queueName]: '' }, runtime: { queueName: 'gpus' }, want: ['gpus'] },
  'a priority goes with the queue': {
    labels: { [priorityClass]: 'high' },
    runtime: { queueName: 'gpus' },
    want: ['gpus', 'high'],
  },
  'a priority without a queue means nothing': { labels: { [priorityClass]: 'high' }, runtime: {}, want: [] },
};
for (const [name, { labels, runtime, want }] of Object.entries(queues)) {
  test(`queue label: ${name}`, () => {
    const job = aJob({}, { labels: { ...labels, other: 'x' } });
    for (const stage of stages) {
      const made = madeFor(job, stage, runtime);
      const got = made.metadata?.labels ?? {};
      const wanted = stage === 'train' ? want : [];
      assert.deepEqual(
        [queueName, priorityClass].flatMap((label) => got[label] ?? []),
        wanted,
      );
      assert.equal(made.spec?.suspend, wanted.length > 0 ? true : undefined);
      assert.equal(got['other'], undefined);
    }
  });
}

test('only the train Job is queued, and it is born suspended', () => {
  const train = made('train', {}, rich);
  assert.equal(train.metadata?.labels?.['kueue.x-k8s.io/queue-name'], 'gpus');
  assert.equal(train.spec?.suspend, true);
  assert.equal(made('preflight', {}, rich).spec?.suspend, undefined);
  assert.equal(made('train').spec?.suspend, undefined);
});

test('one pod at a time, restarted by the Job as the exit codes say', () => {
  const { spec } = made('train', { retry: { limit: 5 } });
  assert.equal(spec?.parallelism, 1);
  assert.equal(spec?.completions, 1);
  assert.equal(spec?.backoffLimit, 5);
  assert.equal(spec?.podReplacementPolicy, 'Failed');
  assert.equal(spec?.template.spec?.restartPolicy, 'Never');
  const [never, disrupted, free] = spec?.podFailurePolicy?.rules ?? [];
  assert.deepEqual(never?.onExitCodes?.values, [10, 11, 12, 13, 14, 15, 16, 17, 18]);
  assert.deepEqual([never?.action, disrupted?.action, free?.action], ['FailJob', 'Ignore', 'Ignore']);
  assert.deepEqual(disrupted?.onPodConditions, [{ type: 'DisruptionTarget', status: 'True' }]);
  assert.deepEqual(free?.onExitCodes?.values, [failures.Interrupted.exitCode]);
});

test('credentials are files of their own folder, and their Secrets are named nowhere else', () => {
  const job = made('train');
  const mounts = containerOf(job).volumeMounts ?? [];
  for (const role of ['model', 'dataset', 'output']) {
    const mount = mounts.find(({ mountPath }) => mountPath === `${paths.credentials}/${role}`);
    assert.equal(mount?.readOnly, true);
    const volume = podOf(job).volumes?.find(({ name }) => name === mount?.name);
    assert.deepEqual(volume?.secret, { secretName: 's3-credentials', defaultMode: 0o440 });
  }
  assert.doesNotMatch(configText(job), /s3-credentials/);
  assert.match(configText(job), /"credentialsDirectory":"\/var\/run\/finetune\/credentials\/model"/);
});

test('the runtime says how much a pod may write to the disk, and the trainer knows it', () => {
  const job = made('preflight', {}, { workVolume: '10Gi' });
  const work = podOf(job).volumes?.find(({ name }) => name === 'work');
  assert.deepEqual(work?.emptyDir, { sizeLimit: '10Gi' });
  assert.equal(runConfig.parse(JSON.parse(configText(job))).workBytes, 10 * 2 ** 30);
});

test('without credentials nothing is mounted and requests stay unsigned', () => {
  const open = { s3: { endpoint: 'https://s3.example.com', bucket: 'public' } };
  const job = made('train', { model: open, output: open, dataset: { ...aJob().spec.dataset, source: open } });
  assert.deepEqual(
    podOf(job).volumes?.map(({ name }) => name),
    ['run-config', 'work', 'tmp'],
  );
  const { model } = runConfig.parse(JSON.parse(configText(job)));
  assert.deepEqual(model, {
    kind: 's3',
    uri: 's3://public',
    endpoint: 'https://s3.example.com',
    bucket: 'public',
    prefix: '',
    region: 'us-east-1',
  });
});

test('a claim is one volume, read-only where it is read and writable where results go', () => {
  const dataset = { ...aJob().spec.dataset, source: claim('data', 'spam') };
  const job = made('train', { model: claim('shared', 'minilm'), dataset, output: claim('shared', 'runs') });
  const claims = podOf(job).volumes?.filter((volume) => volume.persistentVolumeClaim !== undefined);
  assert.deepEqual(
    claims?.map((volume) => volume.persistentVolumeClaim?.claimName),
    ['shared', 'data'],
  );
  const mounts = containerOf(job).volumeMounts?.filter(({ mountPath }) =>
    mountPath.startsWith(paths.volumes),
  );
  assert.deepEqual(
    mounts?.map(({ mountPath, readOnly }) => [mountPath, readOnly]),
    [
      ['/mnt/finetune/model', true],
      ['/mnt/finetune/dataset', true],
      ['/mnt/finetune/output', false],
    ],
  );
  const config = runConfig.parse(JSON.parse(configText(job)));
  assert.deepEqual(config.output, {
    kind: 'volume',
    uri: 'pvc://shared/runs',
    directory: '/mnt/finetune/output/runs',
  });
  assert.deepEqual(config.dataset.source, {
    kind: 'volume',
    uri: 'pvc://data/spam',
    directory: '/mnt/finetune/dataset/spam',
  });
});

test('the trainer finds its config, its identity and its port where the contract says', () => {
  const job = made('train', {}, { terminationGracePeriodSeconds: 300 });
  const container = containerOf(job);
  assert.deepEqual(container.args, ['train']);
  assert.deepEqual(container.ports, [{ name: 'http', containerPort: httpPort, protocol: 'TCP' }]);
  const env = Object.fromEntries(
    container.env?.map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef?.fieldPath]) ?? [],
  );
  assert.deepEqual(
    [env['POD_UID'], env['POD_NAME'], env['NODE_NAME'], env['FINETUNE_GRACE_SECONDS']],
    ['metadata.uid', 'metadata.name', 'spec.nodeName', '290'],
  );
  const mount = container.volumeMounts?.find(({ name }) => name === 'run-config');
  const item = podOf(job).volumes?.find(({ name }) => name === 'run-config')?.downwardAPI?.items?.[0];
  assert.equal(`${mount?.mountPath}/${item?.path}`, paths.runConfig);
  assert.equal(item?.fieldRef?.fieldPath, "metadata.annotations['finetune.dev/run-config']");
  assert.equal(podOf(job).terminationGracePeriodSeconds, 300);
  assert.equal(
    podOf(made('preflight', {}, { terminationGracePeriodSeconds: 300 })).terminationGracePeriodSeconds,
    30,
  );
});

test('children belong to their job by UID', () => {
  const [owner] = made('train').metadata?.ownerReferences ?? [];
  assert.deepEqual([owner?.uid, owner?.controller, owner?.blockOwnerDeletion], [jobUid, true, true]);
});

function configText(job: V1Job): string {
  return job.spec?.template.metadata?.annotations?.['finetune.dev/run-config'] ?? '';
}

const names: [string, string][] = [
  ['a', '1'],
  ['spam-filter', '1'],
  ['x'.repeat(63), 'r'.repeat(32)],
  ['team.project.v1', '1'],
  [`${'x'.repeat(41)}-tail`, '1'],
];
for (const [name, runId] of names) {
  test(`children of "${name.slice(0, 20)}" have names of at most 63 letters, digits and dashes`, () => {
    const all = stages.map((stage) => stageName({ name, uid: jobUid }, runId, stage));
    for (const child of all) assert.match(child, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
    for (const child of all) assert.doesNotMatch(child, /--/);
    assert.equal(new Set(all).size, 2);
    assert.deepEqual(
      all,
      stages.map((stage) => stageName({ name, uid: jobUid }, runId, stage)),
    );
    assert.notEqual(all[0], stageName({ name, uid: 'other' }, runId, 'preflight'));
    assert.notEqual(all[0], stageName({ name, uid: jobUid }, `${runId}0`.slice(-32), 'preflight'));
  });
}
