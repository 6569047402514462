import { statfsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { ImageStore } from './image-store.ts';
import type { Namespaces } from './namespaces.ts';
import { pauseImage } from './pause-image.ts';
import { waitFor } from './wait.ts';

/** containerd's socket, as the node sees it. */
export const containerdSocket = '/run/containerd/containerd.sock';

const OVERLAYFS = 0x794c7630;

/** Images survive the cluster here: loading gigabytes again would cost more than the whole start. */
export function imageDirectory(cluster: string): string {
  return join(cacheDirectory(), 'containerd', cluster);
}

/** The container runtime of one node. */
export class Containerd {
  readonly #namespaces: Namespaces;
  readonly #directory: string;
  readonly #root: string;

  constructor(cluster: string, directory: string, namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.#directory = directory;
    this.#root = imageDirectory(cluster);
  }

  /** Starts containerd and waits until it answers. `podCidr` is the network that pods get addresses from. */
  async start(podCidr: string): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    await mkdir(join(this.#directory, 'cni'), { recursive: true });
    await writeFile(join(this.#directory, 'cni', '10-finetune.conflist'), networkConfig(podCidr));
    const config = join(this.#directory, 'containerd.toml');
    await writeFile(config, this.#config());
    await this.#namespaces.start('containerd', 'containerd', ['--config', config]);
    await waitFor('containerd', () => this.#ctr(['version']), {
      timeoutMs: 60_000,
      logFile: this.#namespaces.logFile('containerd'),
      hopeless: async () => ((await this.#namespaces.isRunning('containerd')) ? undefined : 'it has ended'),
    });
  }

  /** Loads an image from an OCI archive under one reference, unless it is there. */
  load(archive: string, reference: string): Promise<void> {
    const options = { directory: this.#root, snapshotter: this.#snapshotter() };
    return new ImageStore((args, timeoutMs) => this.#ctr(args, timeoutMs), options).load(archive, reference);
  }

  /** Ends all containers and forgets them, so that only images stay in the cache. The kubelet must be gone before. */
  async removeContainers(): Promise<void> {
    const tasks = (await this.#ctr(['tasks', 'ls', '--quiet'])).split('\n').filter(Boolean);
    if (tasks.length > 0) await this.#ctr(['tasks', 'rm', '--force', ...tasks]);
    const containers = (await this.#ctr(['containers', 'ls', '--quiet'])).split('\n').filter(Boolean);
    if (containers.length > 0) await this.#ctr(['containers', 'rm', ...containers]);
  }

  #ctr(args: string[], timeoutMs = 30_000): Promise<string> {
    return this.#namespaces.run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args], {
      timeoutMs,
    });
  }

  /** An overlay cannot lie on another overlay, as inside a container: then images are copied instead. */
  #snapshotter(): string {
    return statfsSync(this.#root).type === OVERLAYFS ? 'native' : 'overlayfs';
  }

  #config(): string {
    const quoted = (text: string) => JSON.stringify(text);
    return `
version = 2
root = ${quoted(this.#root)}
state = "/run/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = ${quoted(containerdSocket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quoted(pauseImage)}
  # Where the machine withholds CAP_SYS_RESOURCE, no sandbox starts without this.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = ${quoted(this.#snapshotter())}
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = ${quoted(join(this.#directory, 'cni'))}
`;
  }
}

/** Every pod hangs on a link of its own and all traffic is routed: Services work without bridge netfilter. */
function networkConfig(podCidr: string): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'finetune',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: '/run/containerd/addresses',
          ranges: [[{ subnet: podCidr }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });
}
