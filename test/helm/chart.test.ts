/** The chart as helm renders it, and as a real API server takes it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type {
  V1ClusterRole,
  V1Deployment,
  V1NetworkPolicy,
  V1NetworkPolicyPeer,
  V1Role,
  V1RoleBinding,
} from '@kubernetes/client-node';
import { parseAllDocuments, parse as parseYaml } from 'yaml';
import { resources } from '../../crds/crd.ts';
import { fineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import { flagOf, settings } from '../../operator/config.ts';
import { stageLabels } from '../../operator/manifests/names.ts';
import { podSpec } from '../../operator/manifests/pod.ts';
import { clusterRules, ownNamespaceRules } from '../../operator/permissions.ts';
import { binary, ensureBinaries } from '../cluster/binaries.ts';
import { run } from '../cluster/command.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { helmFor } from '../cluster/kubectl.ts';
import { runtimeSpec, specOf } from '../operator/builders.ts';

const chart = new URL('../../helm/finetune-operator', import.meta.url).pathname;
const release = 'offer';
const namespace = 'finetune-system';

type Rendered = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
};

async function render(...values: string[]): Promise<Rendered[]> {
  const args = [
    'template',
    release,
    chart,
    '--namespace',
    namespace,
    ...values.flatMap((value) => ['--set-json', value]),
  ];
  const text = await run(binary('helm'), args);
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Rendered | null) ?? []);
}

function one<T extends object>(objects: Rendered[], kind: string, name = release): T {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0] as unknown as T;
}

const schema = JSON.parse(readFileSync(`${chart}/values.schema.json`, 'utf8')).properties;

before(() => ensureBinaries(['helm']));

describe('the rendered chart', () => {
  test('has no fault that helm lint knows', async () => {
    assert.match(await run(binary('helm'), ['lint', '--strict', chart]), /0 chart\(s\) failed/);
  });

  test('runs the operator restricted, with probes, requests and a memory limit', async () => {
    const { spec } = one<V1Deployment>(await render(), 'Deployment');
    const pod = spec!.template.spec!;
    const [container] = pod.containers;
    assert.equal(pod.securityContext?.runAsNonRoot, true);
    assert.equal(pod.securityContext?.seccompProfile?.type, 'RuntimeDefault');
    assert.deepEqual(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.deepEqual(
      [container?.livenessProbe?.httpGet?.path, container?.readinessProbe?.httpGet?.path],
      ['/healthz', '/readyz'],
    );
    assert.ok(container?.resources?.limits?.['memory'] && container.resources.requests?.['cpu']);
    assert.equal(pod.volumes, undefined);
    // The new replica is ready, and waits for the lease, before the old one is told to stop.
    assert.deepEqual(spec!.strategy, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  });

  test('gives the operator exactly the rights of operator/permissions.ts', async () => {
    const objects = await render();
    assert.deepEqual(one<V1ClusterRole>(objects, 'ClusterRole').rules, clusterRules);
    assert.deepEqual(one<V1Role>(objects, 'Role').rules, ownNamespaceRules);
  });

  test('lets people who may edit or view a namespace edit or view its jobs, never their status', async () => {
    const objects = await render();
    const edit = one<V1ClusterRole>(objects, 'ClusterRole', `${release}-edit`);
    assert.equal(edit.metadata?.labels?.['rbac.authorization.k8s.io/aggregate-to-edit'], 'true');
    assert.deepEqual(
      edit.rules?.flatMap((rule) => rule.resources),
      ['finetunejobs'],
    );
    const view = one<V1ClusterRole>(objects, 'ClusterRole', `${release}-view`);
    assert.deepEqual(
      view.rules?.flatMap(({ verbs }) => verbs),
      ['get', 'list', 'watch'],
    );
  });

  test('carries the definitions of the repository and keeps them when it is uninstalled', async () => {
    const objects = await render();
    for (const { plural, kind } of resources) {
      const crd = one<Rendered & { spec: unknown }>(
        objects,
        'CustomResourceDefinition',
        `${plural}.finetune.dev`,
      );
      const source = parseYaml(readFileSync(new URL(`../../crds/${plural}.yaml`, import.meta.url), 'utf8'));
      assert.deepEqual(crd.spec, source.spec, kind);
      assert.equal(crd.metadata.annotations?.['helm.sh/resource-policy'], 'keep');
    }
    const without = await render('crds.enabled=false');
    assert.ok(without.every(({ kind }) => kind !== 'CustomResourceDefinition'));
  });

  test('takes the image by digest where one is given', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const { spec } = one<V1Deployment>(await render(`image.digest="${digest}"`), 'Deployment');
    assert.equal(spec?.template.spec?.containers[0]?.image, `finetune-operator/operator@${digest}`);
  });

  test('hands settings on as flags', async () => {
    const { spec } = one<V1Deployment>(
      await render('settings={"workers":16,"log-level":"debug"}'),
      'Deployment',
    );
    assert.deepEqual(spec?.template.spec?.containers[0]?.args, ['--log-level=debug', '--workers=16']);
  });

  test('lets the operator have its lease in another namespace', async () => {
    const objects = await render('settings={"lease-namespace":"leases"}');
    for (const kind of ['Role', 'RoleBinding']) {
      assert.equal(one<Rendered>(objects, kind).metadata.namespace, 'leases');
    }
    const [subject] = one<V1RoleBinding>(objects, 'RoleBinding').subjects ?? [];
    assert.equal(subject?.namespace, namespace);
  });

  test('takes names that YAML would read as something else', async () => {
    const objects = await render(
      'runtime.name="1234"',
      'priorityClassName="1e3"',
      'networkPolicy.namespaces=["on","0123"]',
    );
    assert.equal(one<Rendered>(objects, 'FineTuneRuntime', '1234').metadata.name, '1234');
    const { spec } = one<V1Deployment>(objects, 'Deployment');
    assert.equal(spec?.template.spec?.priorityClassName, '1e3');
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
    assert.deepEqual(
      policies.map(({ metadata }) => metadata.namespace),
      ['on', '0123'],
    );
  });

  test('monitors, Service and budget are there when they are wanted', async () => {
    const kinds = async (...values: string[]) => (await render(...values)).map(({ kind }) => kind);
    const optional = ['ServiceMonitor', 'PodMonitor', 'PodDisruptionBudget', 'PrometheusRule', 'ConfigMap'];
    const normal = await kinds();
    assert.ok(normal.includes('Service') && optional.every((kind) => !normal.includes(kind)));
    const all = await kinds(
      'metrics.serviceMonitor={"enabled":true,"labels":{"release":"prometheus"}}',
      'metrics.podMonitor.enabled=true',
      'podDisruptionBudget.enabled=true',
      'metrics.prometheusRule.enabled=true',
      'metrics.dashboard.enabled=true',
    );
    assert.deepEqual(
      optional.filter((kind) => !all.includes(kind)),
      [],
    );
    assert.ok(!(await kinds('metrics.service.enabled=false')).includes('Service'));
    await assert.rejects(
      render('metrics.service.enabled=false', 'metrics.serviceMonitor.enabled=true'),
      /metrics\.serviceMonitor needs metrics\.service\.enabled/,
    );
  });

  test('closes the port of trainers to all but the operator and Prometheus, where it is asked to', async () => {
    assert.ok((await render()).every(({ kind }) => kind !== 'NetworkPolicy'));
    const prometheus = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
    };
    const objects = await render(
      'networkPolicy.namespaces=["team-a","team-b"]',
      `networkPolicy.prometheus=[${JSON.stringify(prometheus)}]`,
    );
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy') as (Rendered & V1NetworkPolicy)[];
    assert.deepEqual(
      policies.map(({ metadata }) => metadata.namespace),
      ['team-a', 'team-b'],
    );
    const operator = one<V1Deployment>(objects, 'Deployment').spec!.template.metadata!.labels!;
    const trainer = stageLabels({ name: 'spam', uid: 'u' }, '1', 'train');
    const [container] = podSpec({ spec: specOf(), runtime: runtimeSpec(), stage: 'train' }).containers;
    for (const { spec } of policies) {
      assert.deepEqual(spec?.policyTypes, ['Ingress']);
      assert.partialDeepStrictEqual(trainer, spec.podSelector?.matchLabels);
      const [rule, ...others] = spec.ingress ?? [];
      assert.deepEqual(others, []);
      assert.deepEqual(
        rule?.ports?.map(({ port }) => port),
        container?.ports?.map(({ name }) => name),
      );
      // The generated type calls it _from; the object itself does not.
      const [own, ...rest] = (rule as { from?: V1NetworkPolicyPeer[] } | undefined)?.from ?? [];
      assert.deepEqual(own?.namespaceSelector?.matchLabels, { 'kubernetes.io/metadata.name': namespace });
      assert.partialDeepStrictEqual(operator, own?.podSelector?.matchLabels);
      assert.deepEqual(rest, [prometheus]);
    }
  });

  test('every object carries the common labels', async () => {
    const all = await render(
      'metrics.podMonitor.enabled=true',
      'metrics.prometheusRule.enabled=true',
      'metrics.dashboard.enabled=true',
      'networkPolicy.namespaces=["team-a"]',
    );
    for (const { kind, metadata } of all) {
      assert.equal(
        metadata.labels?.['app.kubernetes.io/name'],
        'finetune-operator',
        `${kind} ${metadata.name}`,
      );
    }
  });

  const typos = {
    'replica=2': 'replica',
    'image.repositry="x"': 'repositry',
    'settings.worker=3': 'worker',
    'settings.port=1': 'port',
    'runtime.spec.accelarator={}': 'accelarator',
    'metrics.podMonitor.enable=true': 'enable',
    'metrics.dashboard={"label":{}}': 'label',
    'networkPolicy.namespaces=["Team A"]': 'namespaces',
    'networkPolicy.prometheus=[{}]': 'prometheus',
    'resources.limit={}': 'limit',
    'image.digest="latest"': 'digest',
    'replicas=-1': 'replicas',
  };
  for (const [value, word] of Object.entries(typos)) {
    test(`refuses ${value}`, async () => {
      await assert.rejects(render(value), new RegExp(word));
    });
  }

  test('knows every setting of the operator but the port, which its probes use', () => {
    const flags = Object.keys(settings.shape).map((field) => flagOf(field).slice(2));
    const own = ['port', 'identity'];
    assert.deepEqual(
      Object.keys(schema.settings.properties).sort(),
      flags.filter((flag) => !own.includes(flag)).sort(),
    );
  });

  test('knows every field of a FineTuneRuntime', () => {
    const fields = Object.keys(fineTuneRuntimeSpec.shape).sort();
    assert.deepEqual(Object.keys(schema.runtime.properties.spec.properties).sort(), fields);
  });

  test('the README names every value', () => {
    const readme = readFileSync(`${chart}/README.md`, 'utf8');
    const paths = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
        ? Object.entries(value).flatMap(([key, inner]) => paths(inner, path === '' ? key : `${path}.${key}`))
        : [path];
    const all = paths(parseYaml(readFileSync(`${chart}/values.yaml`, 'utf8')), '');
    const missing = all.filter((path) => !path.startsWith('resources.') && !readme.includes(`\`${path}\``));
    assert.deepEqual(missing, []);
  });
});

describe('the chart on a real API server', () => {
  let plane: ControlPlane;
  before(async () => {
    plane = await startControlPlane('chart');
  });
  after(() => plane?.stop());

  const install = (...values: string[]) =>
    helmFor(plane.kubeconfig)([
      'upgrade',
      '--install',
      release,
      chart,
      '--namespace',
      namespace,
      '--create-namespace',
      ...values.flatMap((value) => ['--set-json', value]),
    ]);
  const runtimeOf = async () => JSON.parse(await plane.kubectl(['get', 'ftr', 'default', '-o', 'json']));

  test('installs in one go, definitions and default runtime together', async () => {
    assert.match(await install('networkPolicy.namespaces=["default"]'), /STATUS: deployed/);
    assert.match(await plane.kubectl(['get', 'networkpolicies', '-o', 'name']), /offer-trainers/);
    const { spec } = await runtimeOf();
    assert.equal(spec.image, 'finetune-operator/trainer:0.1.0');
    assert.equal(spec.accelerator.whenUnusable, 'Fail');
  });

  test('upgrades: a changed value reaches the runtime, which is never away', async () => {
    const before = await runtimeOf();
    await install(
      'runtime.spec={"image":"registry.example.com/trainer:2","accelerator":{"whenUnusable":"UseCPU"},"queueName":"gpus"}',
    );
    const { metadata, spec } = await runtimeOf();
    assert.deepEqual(
      [spec.image, spec.accelerator.whenUnusable],
      ['registry.example.com/trainer:2', 'UseCPU'],
    );
    assert.equal(metadata.uid, before.metadata.uid);
  });

  test('a value that is taken away leaves the runtime', async () => {
    await install('runtime.spec={"image":"registry.example.com/trainer:2"}');
    const { spec } = await runtimeOf();
    assert.deepEqual([spec.queueName, spec.accelerator.whenUnusable], [undefined, 'Fail']);
  });

  test('refuses a runtime that the definitions refuse, and keeps the one that is there', async () => {
    const before = await runtimeOf();
    await assert.rejects(
      install('runtime.spec={"image":"x","terminationGracePeriodSeconds":1}'),
      /terminationGracePeriodSeconds/,
    );
    assert.deepEqual((await runtimeOf()).spec, before.spec);
  });

  test('an uninstall keeps the definitions, the jobs and the runtime', async () => {
    await install();
    await helmFor(plane.kubeconfig)(['uninstall', release, '--namespace', namespace]);
    assert.match(await plane.kubectl(['get', 'crd', '-o', 'name']), /finetunejobs\.finetune\.dev/);
    assert.equal((await runtimeOf()).metadata.name, 'default');
    assert.equal((await plane.kubectl(['get', 'deployments', '-A', '-o', 'name'])).trim(), '');
  });

  test('installs again over what was kept', async () => {
    assert.match(await install(), /STATUS: deployed/);
  });
});
