/** Where trials are played: one API server with the real Job controller and garbage collector, and a namespace for each. */
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { ownNamespaceRules } from '../../operator/permissions.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { type ProcessRecord, stopProcess } from '../cluster/processes.ts';
import { waitFor } from '../cluster/wait.ts';
import { account, accountToken, startPlane } from '../operator/api.ts';
import { collections, DirectApi, pathOf } from './direct-api.ts';
import { Loopback } from './loopback.ts';
import { Witness } from './witness.ts';

const controllers = ['job-controller', 'garbage-collector-controller'];

export class Stage {
  /** A server that starts answers 403 until it has read the roles. */
  isServerReady = true;
  readonly #plane: ControlPlane;
  #controllers: ProcessRecord;
  readonly #token: string;
  readonly #loopback: Loopback;
  readonly api: DirectApi;
  readonly witness: Witness;
  #namespaces = 0;

  private constructor(plane: ControlPlane, controllers: ProcessRecord, token: string, loopback: Loopback) {
    this.#plane = plane;
    this.#controllers = controllers;
    this.#token = token;
    this.#loopback = loopback;
    this.api = new DirectApi(plane.kubeconfig);
    this.witness = new Witness(this.api);
  }

  static async start(name: string): Promise<Stage> {
    await ensureBinaries(['kube-controller-manager']);
    const plane = await startPlane(name);
    try {
      const running = await plane.startControllers(controllers);
      const stage = new Stage(plane, running, await accountToken(plane), await Loopback.claim());
      stage.witness.start();
      return stage;
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.witness.stop();
    await this.api.close();
    this.#loopback.release();
    await this.#plane.stop();
  }

  get directory(): string {
    return join(this.#plane.directory, 'trials');
  }

  /** For the operator: through the proxy, with the rights that the chart gives. */
  kubeconfig(server: string): string {
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: 'proxy', server, skipTLSVerify: true },
      { name: account, token: this.#token },
    );
    return config.exportConfig();
  }

  /** A namespace with an account for pods, and a Job that belongs to nobody; and an address for its trainers. */
  async newNamespace(): Promise<{ namespace: string; address: string }> {
    const number = ++this.#namespaces;
    const namespace = `trial-${number}`;
    const metadata = { name: namespace };
    await this.api.call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
    for (const [path, object] of Object.entries(accessIn(namespace)))
      await this.api.call('POST', path, object);
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
    const bystander = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'bystander', labels: { 'app.kubernetes.io/managed-by': 'finetune-operator' } },
      spec: { suspend: true, template },
    };
    await this.api.call('POST', pathOf(collections.jobs, namespace), bystander);
    return { namespace, address: this.#loopback.address(number) };
  }

  /** Removes the objects of a namespace, whole collections at a time. */
  async clear(namespace: string): Promise<void> {
    const { fineTuneJobs, jobs, pods } = collections;
    await this.api.call('DELETE', `${pathOf(fineTuneJobs, namespace)}?propagationPolicy=Background`);
    await this.api.call('DELETE', `${pathOf(jobs, namespace)}?propagationPolicy=Background`);
    await this.api.call('DELETE', `${pathOf(pods, namespace)}?gracePeriodSeconds=0`);
    this.witness.forget(namespace);
  }

  /**
   * The controllers start again with the API server, as they do where both run on one machine. Left alone they would try
   * their watches again after up to a minute (client-go's reflectors wait longer each time, and forget it after two minutes
   * without a failure): longer than the end of a run is waited for.
   */
  async restartServer(how: 'restart' | 'restart-compacted'): Promise<void> {
    // A Job controller that ends between the pod of a resumed Job and its status would leave it said to be suspended for ever.
    await this.witness.quiet(100, 300);
    this.isServerReady = false;
    await stopProcess(this.#controllers, 0);
    if (how === 'restart-compacted') await this.#plane.compact();
    await this.#plane.restartApiServer();
    this.isServerReady = true;
    // The garbage collector looks for new kinds twice a minute only, so it has to find ours at its start.
    const { prefix } = collections.fineTuneJobs;
    await waitFor(prefix, async () => (await this.api.call('GET', prefix)) !== undefined, {
      timeoutMs: 60_000,
    });
    this.#controllers = await this.#plane.startControllers(controllers);
  }
}

/** The account of pods, and the rights of the operator in the namespace of its lease. */
function accessIn(namespace: string): Record<string, object> {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name: account };
  return {
    [`/api/v1/namespaces/${namespace}/serviceaccounts`]: { metadata: { name: 'default' } },
    [`/apis/${rbac}/v1/namespaces/${namespace}/roles`]: { metadata, rules: ownNamespaceRules },
    [`/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`]: {
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: account },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'default' }],
    },
  };
}
