import { statfsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
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

  /**
   * Loads an image from an OCI archive under one reference. Does nothing when the reference has this very image.
   * Throws when the archive is not an OCI archive of exactly one image.
   */
  async load(archive: string, reference: string): Promise<void> {
    const digest = await archiveDigest(archive);
    const name = canonicalReference(reference);
    if ((await this.images()).get(name) === digest) return;
    const options = ['--base-name', 'finetune-import', '--digests', '--snapshotter', this.#snapshotter()];
    await this.#ctr(['images', 'import', ...options, archive], 600_000);
    const imported = [...(await this.images()).keys()].filter((key) => key.startsWith('finetune-import'));
    await this.#ctr(['images', 'tag', '--force', `finetune-import@${digest}`, name]);
    await this.#ctr(['images', 'rm', ...imported]);
    // The kubelet asks containerd's CRI half, which learns of a new image a moment after it is there.
    await waitFor(
      `label of image ${name}`,
      async () => (await this.#labels(name)).includes('io.cri-containerd'),
      {
        timeoutMs: 10_000,
      },
    );
  }

  /** Image names and the digests they stand for. */
  async images(): Promise<Map<string, string>> {
    const lines = (await this.#ctr(['images', 'ls'])).trim().split('\n').slice(1);
    return new Map(lines.map((line) => line.split(/\s+/)).map(([name, , digest]) => [name!, digest!]));
  }

  /** Ends all containers and forgets them, so that only images stay in the cache. The kubelet must be gone before. */
  async removeContainers(): Promise<void> {
    const tasks = (await this.#ctr(['tasks', 'ls', '--quiet'])).split('\n').filter(Boolean);
    if (tasks.length > 0) await this.#ctr(['tasks', 'rm', '--force', ...tasks]);
    const containers = (await this.#ctr(['containers', 'ls', '--quiet'])).split('\n').filter(Boolean);
    if (containers.length > 0) await this.#ctr(['containers', 'rm', ...containers]);
  }

  async #labels(name: string): Promise<string> {
    return this.#ctr(['images', 'ls', `name==${name}`]);
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

async function archiveDigest(archive: string): Promise<string> {
  // The name in the archive depends on the program that wrote it.
  const text = await run('tar', ['--wildcards', '-xOf', archive, 'index.json'], { allowFailure: true });
  const index = text || (await run('tar', ['-xOf', archive, './index.json']));
  const { manifests } = JSON.parse(index) as { manifests: { digest: string }[] };
  if (manifests.length !== 1) throw new Error(`${archive} holds ${manifests.length} images, not one`);
  return manifests[0]!.digest;
}

/** The full form of an image reference, under which containerd looks it up: `a:1` means docker.io/library/a:1. */
export function canonicalReference(reference: string): string {
  const first = reference.split('/')[0]!;
  const slashes = reference.includes('/');
  const hasHost = slashes && (first.includes('.') || first.includes(':') || first === 'localhost');
  const named = hasHost ? reference : `docker.io/${slashes ? '' : 'library/'}${reference}`;
  const last = named.slice(named.lastIndexOf('/'));
  return last.includes(':') || last.includes('@') ? named : `${named}:latest`;
}
