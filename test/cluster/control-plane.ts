import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, ensureBinaries, type Tool } from './binaries.ts';
import { Certificates } from './certificates.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { isAlive, type ProcessRecord, spawnLogged, stopProcess } from './processes.ts';
import { waitFor } from './wait.ts';

export type ApiServerAddress = {
  bind: string;
  port: number;
  /** Address under which pods reach the server. The server refuses a loopback address here. */
  advertise: string;
  serviceCidr: string;
};

/** etcd's arguments. It keeps its data in `directory` and gives up safety against power loss for speed. */
export function etcdArguments(directory: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--name=default`,
    `--data-dir=${directory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

/** kube-apiserver's arguments, with the authorization and admission that real clusters have. */
export function apiServerArguments(
  { bind, port, advertise, serviceCidr }: ApiServerAddress,
  certificates: Certificates,
  etcdPort: number,
): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--bind-address=${bind}`,
    `--secure-port=${port}`,
    `--advertise-address=${advertise}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    `--client-ca-file=${certificates.authority}`,
    `--tls-cert-file=${certificates.certificate('apiserver')}`,
    `--tls-private-key-file=${certificates.key('apiserver')}`,
    `--kubelet-client-certificate=${certificates.certificate('apiserver-to-kubelet')}`,
    `--kubelet-client-key=${certificates.key('apiserver-to-kubelet')}`,
    `--kubelet-certificate-authority=${certificates.authority}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${certificates.key('service-account')}`,
    `--service-account-signing-key-file=${certificates.key('service-account')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
  ];
}

/** Identities that every control plane needs. */
export function controlPlaneIdentities(names: string[]): Parameters<Certificates['ensure']>[0] {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost', '127.0.0.1'];
  return {
    admin: { commonName: 'admin', organization: 'system:masters' },
    apiserver: { commonName: 'kube-apiserver', names: [...service, ...names] },
    'apiserver-to-kubelet': { commonName: 'apiserver-to-kubelet', organization: 'system:masters' },
  };
}

/**
 * An API server that is asked to end takes no connection from then on, and lets watches that are open go on for a minute
 * before it ends. What is there to be seen of that is seen within this time.
 */
const drainMs = 2000;

/** A control plane without a node: enough to try resources, admission and authorization. */
export type ControlPlane = {
  kubeconfig: string;
  kubectl: Kubectl;
  directory: string;
  /** Stops the API server and starts it on the same address with the same data. */
  restartApiServer(): Promise<void>;
  /** Starts those controllers of kube-controller-manager; its binary must be there (ensureBinaries). */
  startControllers(names: readonly string[]): Promise<ProcessRecord>;
  /** Starts another program of the cache beside the API server. */
  run(tool: Tool, args: readonly string[]): Promise<ProcessRecord>;
  /** Makes etcd forget all versions but the newest. */
  compact(): Promise<void>;
  stop(): Promise<void>;
};

/** Arguments beside the ones that every control plane has. */
export type MoreArguments = { etcd?: readonly string[]; apiServer?: readonly string[] };

/**
 * Starts etcd and kube-apiserver alone on free ports of 127.0.0.1, in about six seconds. As many as wanted run side by side.
 * They end with `stop()`, or with the calling process.
 */
export async function startControlPlane(
  name = 'control-plane',
  more: MoreArguments = {},
): Promise<ControlPlane> {
  await ensureBinaries(['etcd', 'kube-apiserver', 'kubectl']);
  for (let attempt = 1; ; attempt++) {
    const plane = new LocalControlPlane(
      await mkdtemp(join(tmpdir(), `finetune-${name}-`)),
      await freePorts(3),
      more,
    );
    try {
      await plane.start();
      return plane;
    } catch (error) {
      await plane.stop();
      // Between our look and the server's start somebody else may have taken a port.
      const portTaken = error instanceof Error && error.message.includes('address already in use');
      if (!portTaken || attempt === 5) throw error;
    }
  }
}

class LocalControlPlane implements ControlPlane {
  readonly directory: string;
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly #ports: number[];
  readonly #more: MoreArguments;
  readonly #certificates: Certificates;
  #etcd: ProcessRecord | undefined;
  #apiServer: ProcessRecord | undefined;
  /** What was started beside etcd and the API server. */
  readonly #others: ProcessRecord[] = [];

  constructor(directory: string, ports: number[], more: MoreArguments) {
    this.directory = directory;
    this.kubeconfig = join(directory, 'kubeconfig');
    this.kubectl = kubectlFor(this.kubeconfig);
    this.#ports = ports;
    this.#more = more;
    this.#certificates = new Certificates(join(directory, 'pki'));
  }

  async start(): Promise<void> {
    const [etcdPort, peerPort, port] = this.#ports as [number, number, number];
    const etcd = etcdArguments(join(this.directory, 'etcd'), etcdPort, peerPort);
    this.#etcd = await this.#spawn('etcd', [...etcd, ...(this.#more.etcd ?? [])]);
    await this.#certificates.ensure(controlPlaneIdentities([]));
    const kubeconfig = await this.#certificates.kubeconfig('admin', `https://127.0.0.1:${port}`);
    await writeFile(this.kubeconfig, kubeconfig, { mode: 0o600 });
    await this.#startApiServer();
  }

  async restartApiServer(): Promise<void> {
    if (this.#apiServer) await stopProcess(this.#apiServer, drainMs);
    await this.#startApiServer();
  }

  startControllers(names: readonly string[]): Promise<ProcessRecord> {
    return this.run('kube-controller-manager', [
      `--kubeconfig=${this.kubeconfig}`,
      `--controllers=${names.join(',')}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
    ]);
  }

  async run(tool: Tool, args: readonly string[]): Promise<ProcessRecord> {
    await ensureBinaries([tool]);
    const record = await this.#spawn(tool, args);
    this.#others.push(record);
    return record;
  }

  async compact(): Promise<void> {
    const post = async (path: string, body: object) => {
      const url = `http://127.0.0.1:${this.#ports[0]}/v3/kv/${path}`;
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`etcd: ${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as { header: { revision: string } };
    };
    // Any read tells the newest revision; the key is the byte 0.
    const { header } = await post('range', { key: 'AA==' });
    await post('compaction', { revision: header.revision, physical: true });
  }

  async stop(): Promise<void> {
    for (const record of this.#others) await stopProcess(record, 0);
    if (this.#apiServer) await stopProcess(this.#apiServer, 0);
    if (this.#etcd) await stopProcess(this.#etcd, 0);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #startApiServer(): Promise<void> {
    const [etcdPort, , port] = this.#ports as [number, number, number];
    // Nothing runs that would use the advertised address; it only must not be a loopback one.
    const address = { bind: '127.0.0.1', port, advertise: '10.255.255.1', serviceCidr: '10.96.0.0/24' };
    const server = await this.#spawn('kube-apiserver', [
      ...apiServerArguments(address, this.#certificates, etcdPort),
      ...(this.#more.apiServer ?? []),
    ]);
    this.#apiServer = server;
    await waitForApiServer(this.kubectl, server.logFile, async () => isAlive(server));
  }

  /** The kernel kills the process when we end, however we end. */
  async #spawn(tool: Tool, args: readonly string[]): Promise<ProcessRecord> {
    const logFile = join(this.directory, `${tool}.log`);
    const command = ['--pdeathsig', 'KILL', '--', binary(tool), ...args];
    const { child, record } = await spawnLogged('setpriv', command, logFile, { detached: false });
    child.unref();
    return record;
  }
}

/** Waits until the server is ready and the namespace `default` is there, which it makes a moment later. */
export async function waitForApiServer(
  kubectl: Kubectl,
  logFile: string,
  isRunning: () => Promise<boolean>,
): Promise<void> {
  await waitFor(
    'kube-apiserver',
    async () => {
      await kubectl(['get', '--raw', '/readyz'], { timeoutMs: 10_000 });
      await kubectl(['get', 'namespace', 'default'], { timeoutMs: 10_000 });
      return true;
    },
    {
      timeoutMs: 90_000,
      logFile,
      hopeless: async () => ((await isRunning()) || !existsSync(logFile) ? undefined : 'it has ended'),
    },
  );
}

/** Free ports of 127.0.0.1: held together for a moment, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
