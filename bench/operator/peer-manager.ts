/**
 * Managers of other projects, each built from its Go module and installed by the manifests in it, its rights and its
 * webhooks among them.
 */
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { KubernetesObject, V1Secret } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { binary, moduleDirectory } from '../../test/cluster/binaries.ts';
import { freePorts } from '../../test/cluster/control-plane.ts';
import { logTail, waitFor } from '../../test/cluster/wait.ts';
import { apply } from '../../test/operator/api.ts';
import type { Account } from './audit.ts';
import { MeasuredProcess } from './measured-process.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

export type Manager = {
  tool: 'jobset' | 'trainer-controller-manager';
  title: string;
  account: Account;
  /** For the certificate of its webhooks, which it makes itself. */
  secret: string;
  /** Folders of its module that install it. */
  manifests: string[];
  /**
   * Its arguments, beside those that every manager here has.
   * @param webhookPort where its webhooks are to listen
   * @param directory its /tmp, for files that the arguments name
   */
  arguments(webhookPort: number, directory: string): Promise<string[]>;
};

/** Starts a manager with the rights that its manifests give; it is ready when it is returned. */
export async function startManager(cluster: SimulatedCluster, manager: Manager): Promise<MeasuredProcess> {
  const { tool, title, account } = manager;
  const [webhook, health] = (await freePorts(2)) as [number, number];
  const directory = join(await realpath(cluster.directory), tool);
  await mkdir(directory);
  await apply(cluster.plane, await manifestsOf(cluster, manager, { directory, port: webhook }));
  await cluster.plane.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
  await cluster.writeKubeconfig(join(directory, 'kubeconfig'), account);
  const logFile = join(cluster.directory, `${tool}.log`);
  // It looks for certificates below /tmp, whoever it is: so it sees its own folder in that place.
  const inOwnFolder = 'mount --bind "$0" /tmp && exec "$@"';
  const started = new MeasuredProcess({
    command: [
      ...['unshare', '--mount', '--', 'sh', '-c', inOwnFolder, directory, binary(tool)],
      '--kubeconfig=/tmp/kubeconfig',
      `--health-probe-bind-address=127.0.0.1:${health}`,
      ...(await manager.arguments(webhook, directory)),
    ],
    env: { PATH: process.env['PATH'] },
    port: health,
    logFile,
  });
  try {
    await mountCertificate(cluster, manager, { directory, isRunning: () => started.isAlive });
    await started.ready();
    return started;
  } catch (error) {
    await started.kill('SIGKILL');
    throw new Error(`${title} does not start:\n${await logTail(logFile)}`, { cause: error });
  }
}

/** What installs a manager, with its webhooks on a port of this machine. */
async function manifestsOf(
  { plane }: SimulatedCluster,
  { tool, account, secret, manifests }: Manager,
  { directory, port }: { directory: string; port: number },
): Promise<object[]> {
  const module = await realpath(await moduleDirectory(tool));
  const kustomization = {
    namespace: account.namespace,
    resources: manifests.map((each) => relative(directory, join(module, each))),
  };
  await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization));
  const text = await plane.kubectl(['kustomize', directory]);
  type Manifest = KubernetesObject & { webhooks?: { clientConfig: { service: object } }[] };
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  const service = { externalName: 'localhost', type: 'ExternalName' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: account.namespace } },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace: account.namespace } },
    ...objects.map(({ webhooks, ...object }) => ({
      ...object,
      ...(object.kind === 'Service' && { spec: service }),
      ...(webhooks && {
        webhooks: webhooks.map(({ clientConfig, ...rest }) => ({
          ...rest,
          clientConfig: { service: { ...clientConfig.service, port } },
        })),
      }),
    })),
  ];
}

/** Plays the kubelet: what the manager has put into its Secret comes into its folder. */
async function mountCertificate(
  { api }: SimulatedCluster,
  { account, secret }: Manager,
  { directory, isRunning }: { directory: string; isRunning: () => boolean },
): Promise<void> {
  const path = `/api/v1/namespaces/${account.namespace}/secrets/${secret}`;
  let data: Record<string, string> = {};
  await waitFor(
    `certificate in the Secret ${secret}`,
    async () => {
      data = (await api.call<V1Secret>('GET', path)).data ?? {};
      return data['tls.crt'] !== undefined;
    },
    { timeoutMs: 60_000, hopeless: async () => (isRunning() ? undefined : 'it has ended') },
  );
  const certificates = join(directory, 'k8s-webhook-server', 'serving-certs');
  await mkdir(certificates, { recursive: true });
  // The certificate is waited for, so it comes last.
  for (const file of ['ca.crt', 'tls.key', 'tls.crt'])
    await writeFile(join(certificates, file), Buffer.from(data[file] ?? '', 'base64'));
}
