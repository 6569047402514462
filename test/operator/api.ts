/** A real API server with our resources, and an operator on it that has no more rights than operator/permissions.ts gives. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeConfig, type V1Job, type V1Pod } from '@kubernetes/client-node';
import { group, resources } from '../../crds/crd.ts';
import { readConfig } from '../../operator/config.ts';
import { Operator, type OperatorOptions } from '../../operator/controller/operator.ts';
import { decide } from '../../operator/decide/decide.ts';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { createLog } from '../../operator/log.ts';
import { clusterRules, ownNamespaceRules } from '../../operator/permissions.ts';
import { type ControlPlane, type MoreArguments, startControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait.ts';
import { type KubeObject, runtime, job as smallestJob } from '../crds/objects.ts';
import { RecordingProxy } from './recording-proxy.ts';

export const namespace = 'default';
/** Service account of the operator. */
export const account = 'operator';

export type Api = {
  plane: ControlPlane;
  /** Between the operator and the API server. */
  proxy: RecordingProxy;
  /** For the operator: through the proxy, as its service account. */
  kubeConfig: KubeConfig;
  /** The same as a file. */
  kubeConfigFile: string;
  stop(): Promise<void>;
};

/** An API server with our resources, a runtime `default`, and the account of the operator. */
export async function startPlane(name: string, more: MoreArguments = {}): Promise<ControlPlane> {
  const plane = await startControlPlane(name, more);
  try {
    await apply(plane, accounts());
    const files = resources.map(({ plural }) => join(import.meta.dirname, '../../crds', `${plural}.yaml`));
    await plane.kubectl(['create', ...files.flatMap((file) => ['-f', file])]);
    const names = resources.map(({ plural }) => `crd/${plural}.${group}`);
    await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
    await apply(plane, [runtime({ 'spec.accelerator': { pricePerHour: '2', currency: 'EUR' } }, 'default')]);
    await known(plane);
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** The API server learns of a new kind and of a role by watches of its own: until then it does not know and refuses them. */
async function known(plane: ControlPlane): Promise<void> {
  await eventually('our kinds are known', () =>
    plane.kubectl(['get', resources.map(({ plural }) => plural).join()]),
  );
  const asOperator = [`--as=system:serviceaccount:${namespace}:${account}`, `--namespace=${namespace}`];
  // One right of the cluster role and one of the role. kubectl fails where the answer is no.
  for (const right of ['list finetunejobs', 'create leases'])
    await eventually(`right to ${right}`, () =>
      plane.kubectl(['auth', 'can-i', ...right.split(' '), ...asOperator]),
    );
}

/** A token of an account: without a name that of the operator. */
export async function accountToken(
  plane: ControlPlane,
  of: { name: string; namespace: string } = { name: account, namespace },
): Promise<string> {
  const args = ['create', 'token', of.name, `--namespace=${of.namespace}`, '--duration=24h'];
  return (await plane.kubectl(args)).trim();
}

export async function startApi(name: string): Promise<Api> {
  const plane = await startPlane(name);
  try {
    const admin = new KubeConfig();
    admin.loadFromFile(plane.kubeconfig);
    const ca = join(plane.directory, 'ca.crt');
    await writeFile(ca, Buffer.from(admin.getCurrentCluster()?.caData ?? '', 'base64'));
    const proxy = new RecordingProxy(admin.getCurrentCluster()!.server, ca);
    const server = await proxy.start();
    const token = await accountToken(plane);
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser(
      { name: 'proxy', server, skipTLSVerify: true },
      { name: account, token },
    );
    const kubeConfigFile = join(plane.directory, 'operator.kubeconfig');
    await writeFile(kubeConfigFile, kubeConfig.exportConfig(), { mode: 0o600 });
    const stop = async () => {
      proxy.stop();
      await plane.stop();
    };
    return { plane, proxy, kubeConfig, kubeConfigFile, stop };
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** The operator's account and rights, and the account that pods get. */
function accounts(): object[] {
  const metadata = { name: account, namespace };
  const subjects = [{ kind: 'ServiceAccount', ...metadata }];
  const rbac = 'rbac.authorization.k8s.io';
  const version = `${rbac}/v1`;
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } },
    { apiVersion: version, kind: 'ClusterRole', metadata: { name: account }, rules: clusterRules },
    { apiVersion: version, kind: 'Role', metadata, rules: ownNamespaceRules },
    {
      apiVersion: version,
      kind: 'ClusterRoleBinding',
      metadata: { name: account },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: account },
      subjects,
    },
    {
      apiVersion: version,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: account },
      subjects,
    },
  ];
}

export async function apply(plane: ControlPlane, objects: object[]): Promise<void> {
  const input = objects.map((object) => JSON.stringify(object)).join('\n---\n');
  await plane.kubectl(['apply', '--server-side', '-f', '-'], { input });
}

/** @param changes to the smallest job, by dotted path */
export async function createJob(
  plane: ControlPlane,
  name: string,
  changes: Record<string, unknown> = {},
  labels: Record<string, string> = {},
) {
  const smallest: KubeObject = smallestJob(changes, name);
  const object = { ...smallest, metadata: { ...smallest.metadata, labels } };
  return JSON.parse(
    await plane.kubectl(['create', '-o', 'json', '-f', '-'], { input: JSON.stringify(object) }),
  ) as FineTuneJob;
}

export async function read<T>(plane: ControlPlane, kind: string, name: string): Promise<T | undefined> {
  const text = await plane.kubectl(['get', kind, name, '-o', 'json', '--ignore-not-found']);
  return text.trim() === '' ? undefined : (JSON.parse(text) as T);
}

export async function list<T>(plane: ControlPlane, kind: string): Promise<T[]> {
  return (JSON.parse(await plane.kubectl(['get', kind, '-o', 'json'])) as { items: T[] }).items;
}

/** Removes what the tests and the operator made, whole collections at a time. */
export async function deleteAll(plane: ControlPlane): Promise<void> {
  const groups = ['apis/finetune.dev/v1alpha1', 'apis/batch/v1', 'api/v1', 'api/v1'];
  for (const [i, plural] of ['finetunejobs', 'jobs', 'pods', 'events'].entries()) {
    const query = plural === 'pods' ? '?gracePeriodSeconds=0' : '?propagationPolicy=Background';
    await plane.kubectl(['delete', '--raw', `/${groups[i]}/namespaces/${namespace}/${plural}${query}`]);
  }
}

/**
 * Asks until there is an answer, and fails with what was missing: after a minute, since machines may be slow. A question
 * that an API server cannot answer just then is asked again as well.
 */
export function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  limitMs = 60_000,
): Promise<T> {
  return waitFor(what, ask, { timeoutMs: limitMs });
}

/** Plays the Job controller and the kubelet: makes the pod of a batch Job and sets its status. */
export async function runPod(plane: ControlPlane, job: V1Job, status: object): Promise<V1Pod> {
  const name = `${job.metadata?.name}-pod`;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: job.metadata?.name, uid: job.metadata?.uid };
  const { template } = job.spec!;
  const ownerReferences = [{ ...owner, controller: true }];
  const labels = template.metadata?.labels;
  const metadata = { name, namespace, labels, ownerReferences };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec };
  await plane.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) });
  await setPodStatus(plane, name, status);
  return (await read<V1Pod>(plane, 'pod', name))!;
}

export async function setPodStatus(plane: ControlPlane, name: string, status: object): Promise<void> {
  const patch = JSON.stringify({ status });
  await plane.kubectl(['patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch]);
}

export type Running = { operator: Operator; ended: Promise<boolean>; scrape: () => Promise<string> };

/** Starts an operator in this process, perhaps unlike the real one, and waits until it works. */
export async function startOperator(
  api: Api,
  flags: string[] = [],
  changes: Partial<OperatorOptions> = {},
): Promise<Running> {
  const operator = new Operator({
    config: readConfig(['--port=0', '--identity=test', ...flags], {}),
    kubeConfig: api.kubeConfig,
    log: createLog('debug', process.env['OPERATOR_LOG'] === undefined),
    version: '0.0.0',
    decide,
    ...changes,
  });
  const ended = operator.run();
  await eventually('operator is ready', async () => operator.port !== undefined && operator.isReady);
  const scrape = async () => (await fetch(`http://127.0.0.1:${operator.port}/metrics`)).text();
  return { operator, ended, scrape };
}
