import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
import { withLock } from './lock.ts';

const modules = join(import.meta.dirname, 'go');
const KUBERNETES = 'v1.34.4';

type Build = { module: string; package: string; version: string; variables?: string[] };

function kubernetes(tool: string): Build {
  const [major, minor] = KUBERNETES.slice(1).split('.');
  const version = 'k8s.io/component-base/version';
  return {
    module: 'kubernetes',
    package: `k8s.io/kubernetes/cmd/${tool}`,
    version: KUBERNETES,
    // Without these the binaries call themselves v0.0.0, which a chart's kubeVersion check refuses.
    variables: [
      `${version}.gitVersion=${KUBERNETES}`,
      `${version}.gitMajor=${major}`,
      `${version}.gitMinor=${minor}`,
      `${version}.gitTreeState=clean`,
    ],
  };
}

/** The versions here name the cache folder; a test compares them with the go.mod files, which decide what is built. */
export const builds = {
  'kube-apiserver': kubernetes('kube-apiserver'),
  kubectl: kubernetes('kubectl'),
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3', version: 'v3.6.16' },
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  'kube-proxy': kubernetes('kube-proxy'),
  versitygw: {
    module: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
    version: 'v1.8.0',
    variables: ['main.Version=v1.8.0'],
  },
  kwok: {
    module: 'kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    version: 'v0.8.0',
    variables: ['sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0'],
  },
  helm: {
    module: 'helm',
    package: 'helm.sh/helm/v4/cmd/helm',
    version: 'v4.3.1',
    variables: ['helm.sh/helm/v4/internal/version.version=v4.3.1'],
  },
  // What npm run bench:operator compares with: Kubeflow's Trainer, and JobSet in the version that its manifests install.
  'trainer-controller-manager': {
    module: 'trainer',
    package: 'github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager',
    version: 'v2.0.0',
  },
  jobset: { module: 'jobset', package: 'sigs.k8s.io/jobset', version: 'v0.8.2' },
} satisfies Record<string, Build>;

export type Tool = keyof typeof builds;

/** Folder of programs that came from elsewhere or were built from source, one folder per name and version. */
export function binaryDirectory(name: string, version: string): string {
  return join(cacheDirectory(), 'bin', `${name}-${version}`);
}

/** Path of a tool's binary, whether it has been built yet or not. */
export function binary(tool: Tool): string {
  return join(binaryDirectory(tool, builds[tool].version), tool);
}

/** Builds those of `tools` that are not in the cache. About 10 CPU minutes for all of them, nothing when all are there. */
export async function ensureBinaries(
  tools: readonly Tool[],
  log: (line: string) => void = console.error,
): Promise<void> {
  if (tools.every((tool) => existsSync(binary(tool)))) return;
  await withLock(join(cacheDirectory(), 'bin', '.lock'), log, async () => {
    const missing = tools.filter((tool) => !existsSync(binary(tool)));
    if (missing.length > 0) await checkGo();
    for (const [index, tool] of missing.entries()) {
      await buildWithRetries(
        tool,
        `${tool} ${builds[tool].version} (${index + 1} of ${missing.length})`,
        log,
      );
    }
  });
}

/** Folder with the sources of a tool's module as it is built, its manifests among them. Fetched where it is missing. */
export async function moduleDirectory(tool: Tool): Promise<string> {
  const { module, package: path }: Build = builds[tool];
  const list = ['list', '-mod=readonly', '-f', '{{.Module.Dir}}', path];
  return (await run('go', list, { cwd: join(modules, module), timeoutMs: 300_000 })).trim();
}

async function checkGo(): Promise<void> {
  const version = await run('go', ['env', 'GOVERSION']).catch(() => undefined);
  const [, major, minor] = version?.match(/go(\d+)\.(\d+)/) ?? [];
  if (Number(major) > 1 || Number(minor) >= 21) return;
  throw new Error(
    `The embedded cluster is built with Go 1.21 or later (it fetches the newer toolchain by itself); ` +
      `found: ${version?.trim() || 'none'}. Install Go from https://go.dev/dl and put it on PATH.`,
  );
}

async function buildWithRetries(tool: Tool, title: string, log: (line: string) => void): Promise<void> {
  const attempts = 3;
  for (let attempt = 1; ; attempt++) {
    try {
      await build(tool, title, log);
      return;
    } catch (error) {
      if (attempt === attempts) throw error;
      // Most failures are the network's while modules are fetched; what is compiled stays in Go's cache.
      log(`attempt ${attempt} of ${attempts} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function build(tool: Tool, title: string, log: (line: string) => void): Promise<void> {
  const { module, package: path, variables = [] }: Build = builds[tool];
  const target = binary(tool);
  const part = `${target}.part`;
  const flags = ['-s', '-w', ...variables.flatMap((variable) => ['-X', variable])].join(' ');
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  log(`building ${title}`);
  const progress = setInterval(() => log(`building ${title}: ${seconds()} s`), 20_000);
  try {
    await mkdir(dirname(target), { recursive: true });
    await go(
      ['build', '-mod=readonly', '-buildvcs=false', '-trimpath', '-ldflags', flags, '-o', part, path],
      {
        cwd: join(modules, module),
      },
    );
    await rename(part, target);
    log(`built ${title} in ${seconds()} s`);
  } finally {
    clearInterval(progress);
    await rm(part, { force: true });
  }
}

/** A Go build may take many minutes on a slow machine, so no time-out; its own messages come with the error. */
function go(args: string[], options: { cwd: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '' };
    const child = spawn('go', args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keepTail = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keepTail);
    child.stderr.on('data', keepTail);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(new Error(`go ${args.join(' ')} in ${options.cwd} ended with ${signal ?? code}:\n${output}`));
    });
  });
}
