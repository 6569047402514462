import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Addresses } from './addresses.ts';
import { binary } from './binaries.ts';
import type { Certificates, Identity } from './certificates.ts';
import { cgroupOf } from './cgroups.ts';
import { containerdSocket } from './containerd.ts';
import { directEnvironment, type Kubectl } from './kubectl.ts';
import type { Namespaces } from './namespaces.ts';
import { waitFor } from './wait.ts';

/** How many GPUs the node says it has. There is none: the number lets GPU jobs be scheduled for real. */
const GPUS = 2;

/** The parts of a cluster that kubelet and kube-proxy are started from. */
export type NodeParts = {
  cluster: string;
  nodeName: string;
  directory: string;
  addresses: Addresses;
  namespaces: Namespaces;
  certificates: Certificates;
  kubectl: Kubectl;
};

/** Certificates of the node's two agents. */
export function nodeIdentities(nodeName: string, { node }: Addresses): Record<string, Identity> {
  return {
    kubelet: { commonName: `system:node:${nodeName}`, organization: 'system:nodes', names: [nodeName, node] },
    'kube-proxy': { commonName: 'system:kube-proxy' },
  };
}

/** Starts kubelet and kube-proxy, advertises the GPUs and waits until pods can be scheduled and reach Services. */
export async function startNode(parts: NodeParts): Promise<void> {
  await Promise.all([startKubelet(parts), startKubeProxy(parts)]);
  await Promise.all([waitForNode(parts), waitForKubeProxy(parts)]);
}

async function startKubelet(parts: NodeParts): Promise<void> {
  const { directory, certificates, namespaces, addresses, nodeName } = parts;
  const kubeconfig = join(directory, 'kubelet.kubeconfig');
  await writeFile(kubeconfig, await certificates.kubeconfig('kubelet', `https://${addresses.node}:6443`));
  const config = join(directory, 'kubelet.json');
  const resolver = resolverFile();
  await writeFile(config, JSON.stringify(kubeletConfig(parts, resolver)));
  const args = [
    `--config=${config}`,
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${addresses.node}`,
  ];
  await namespaces.start('kubelet', binary('kubelet'), args, directEnvironment());
}

function kubeletConfig({ cluster, certificates, addresses, directory }: NodeParts, resolver: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.node,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: certificates.authority },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: certificates.certificate('kubelet'),
    tlsPrivateKeyFile: certificates.key('kubelet'),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroupOf(cluster),
    failSwapOn: false,
    failCgroupV1: false,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    volumePluginDir: join(directory, 'volume-plugins'),
    // There is no DNS in the cluster; pods get the machine's own servers.
    resolvConf: resolver,
    clusterDomain: 'cluster.local',
    clusterDNS: nameServers(resolver),
    // Images were loaded by hand and the disk is the machine's: never delete the ones, never evict for the other.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    serializeImagePulls: false,
    nodeStatusUpdateFrequency: '5s',
  };
}

/** With systemd-resolved the usual file names a server on 127.0.0.53, which pods cannot reach. */
function resolverFile(): string {
  const usual = '/etc/resolv.conf';
  const behind = '/run/systemd/resolve/resolv.conf';
  return nameServers(usual).length === 0 && nameServers(behind).length > 0 ? behind : usual;
}

function nameServers(file: string): string[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    const servers = lines.flatMap((line) => line.match(/^nameserver\s+([\d.]+)/)?.[1] ?? []);
    return servers.filter((server) => !server.startsWith('127.'));
  } catch {
    return [];
  }
}

async function startKubeProxy({
  directory,
  certificates,
  namespaces,
  addresses,
  nodeName,
}: NodeParts): Promise<void> {
  const kubeconfig = join(directory, 'kube-proxy.kubeconfig');
  await writeFile(kubeconfig, await certificates.kubeconfig('kube-proxy', `https://${addresses.node}:6443`));
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    mode: 'nftables',
    clusterCIDR: addresses.podCidr,
    hostnameOverride: nodeName,
    // Zero leaves the machine's connection table as it is.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  const file = join(directory, 'kube-proxy.json');
  await writeFile(file, JSON.stringify(config));
  await namespaces.start('kube-proxy', binary('kube-proxy'), [`--config=${file}`], directEnvironment());
}

async function waitForNode({ kubectl, namespaces, nodeName }: NodeParts): Promise<void> {
  const wait = {
    timeoutMs: 90_000,
    logFile: namespaces.logFile('kubelet'),
    hopeless: async () => ((await namespaces.isRunning('kubelet')) ? undefined : 'kubelet has ended'),
  };
  await waitFor(`node ${nodeName}`, () => kubectl(['get', 'node', nodeName]), wait);
  await waitFor(
    `node ${nodeName} ready with ${GPUS} GPUs`,
    async () => {
      const { status } = JSON.parse(await kubectl(['get', 'node', nodeName, '--output=json'])) as NodeObject;
      // A kubelet that has just started sets to zero what no device plugin has told it of, so look again until it stays.
      if (status.allocatable?.['nvidia.com/gpu'] !== String(GPUS)) await advertiseGpus(kubectl, nodeName);
      const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
      return ready && status.allocatable?.['nvidia.com/gpu'] === String(GPUS);
    },
    wait,
  );
}

type NodeObject = {
  status: { allocatable?: Record<string, string>; conditions?: { type: string; status: string }[] };
};

/** Writes the number of GPUs into the node's status, as a device plugin's node would have it. */
export async function advertiseGpus(kubectl: Kubectl, nodeName: string): Promise<void> {
  const patch = ['capacity', 'allocatable'].map((field) => ({
    op: 'add',
    path: `/status/${field}/nvidia.com~1gpu`,
    value: String(GPUS),
  }));
  const target = ['node', nodeName, '--subresource=status'];
  await kubectl(['patch', ...target, '--type=json', '--patch', JSON.stringify(patch)]);
}

async function waitForKubeProxy({ kubectl, namespaces, addresses }: NodeParts): Promise<void> {
  await waitFor(
    'kube-proxy (API server at its Service address)',
    () =>
      kubectl([`--server=https://${addresses.apiService}`, 'get', '--raw', '/readyz'], { timeoutMs: 5000 }),
    {
      timeoutMs: 60_000,
      logFile: namespaces.logFile('kube-proxy'),
      hopeless: async () => ((await namespaces.isRunning('kube-proxy')) ? undefined : 'kube-proxy has ended'),
    },
  );
}
