import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { busyboxImage, ensureBusyboxImage } from './busybox-image.ts';
import type { Cluster } from './cluster.ts';
import { run } from './command.ts';
import { EmbeddedCluster } from './embedded.ts';
import { removeImages, stopEmbedded } from './embedded-stop.ts';
import { ProcessTable, processStartTime } from './processes.ts';
import { waitFor } from './wait.ts';

// A cluster of its own: the one named `test` is shared with other tests and stays up.
const name = 'lifecycle';

/** What a cluster could leave on the machine, apart from its processes. */
async function machineState(): Promise<string[]> {
  const words = async (command: string, ...args: string[]) =>
    (await run(command, args)).trim().split('\n').sort();
  const settings = ['net/ipv4/ip_forward', 'vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops'];
  const folders = ['/run/containerd', '/run/netns', '/var/lib/cni', '/var/lib/kubelet', '/var/log/pods'];
  const mounts = await words('cat', '/proc/self/mountinfo');
  return [
    // An image build beside us mounts its own layers.
    ...mounts.filter((line) => !line.includes('/storage/')),
    ...(await words('ip', '-brief', 'link')).map((line) => `link ${line.split(/[\s@]/)[0]}`),
    ...(await words('ip', 'route', 'show', 'table', 'all')),
    ...(await words('nft', 'list', 'tables')),
    ...(await words('find', '/sys/fs/cgroup', '-maxdepth', '2', '-name', 'finetune-*')),
    ...settings.map((setting) => `${setting} = ${readFileSync(`/proc/sys/${setting}`, 'utf8').trim()}`),
    ...folders.filter((folder) => existsSync(folder)),
  ];
}

/** Processes in the process namespace of `pid`, with their start times. */
function processesBeside(pid: number): Map<number, string> {
  const space = readlinkSync(`/proc/${pid}/ns/pid`);
  const found = new Map<number, string>();
  for (const entry of readdirSync('/proc').filter((candidate) => /^\d+$/.test(candidate))) {
    try {
      if (readlinkSync(`/proc/${entry}/ns/pid`) !== space) continue;
      found.set(Number(entry), processStartTime(Number(entry)) ?? '');
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

async function hostPid(process: string): Promise<number> {
  const record = await new ProcessTable(`${cluster.directory}/processes`).read(process);
  return Number((await run('ps', ['-o', 'pid=', '--ppid', String(record!.pid)])).trim());
}

let cluster: Cluster;

describe('life of an embedded cluster', { timeout: 600_000 }, () => {
  let pristine: string[];

  before(async () => {
    await stopEmbedded(name);
    pristine = await machineState();
    cluster = await EmbeddedCluster.start(name, console.error);
    await cluster.loadImage(await ensureBusyboxImage(), busyboxImage);
  });

  after(async () => {
    await stopEmbedded(name);
    await removeImages(name);
  });

  test('a cluster whose etcd was killed comes back with its objects and pods', async () => {
    await cluster.kubectl(['create', 'configmap', 'kept', '--from-literal=answer=42']);
    const script = ['--command', '--', 'sh', '-c', 'sleep 3600'];
    await cluster.kubectl(['run', 'kept', `--image=${busyboxImage}`, ...script]);
    const running = ['wait', '--for=condition=Ready', 'pod/kept', '--timeout=60s'];
    await cluster.kubectl(running, { timeoutMs: 70_000 });
    process.kill(await hostPid('etcd'), 'SIGKILL');
    const lines: string[] = [];
    await waitFor('etcd to be gone', async () => !(await alive('etcd')), { timeoutMs: 5000 });
    cluster = await EmbeddedCluster.start(name, (line) => lines.push(line));
    assert.match(lines[0] ?? '', /etcd of cluster lifecycle is not running/);
    const answer = ['get', 'configmap', 'kept', '-o', 'jsonpath={.data.answer}'];
    assert.equal(await cluster.kubectl(answer), '42');
    const exec = ['exec', 'kept', '--', 'echo', 'alive'];
    await waitFor('pod after the restart', () => cluster.kubectl(exec), {
      timeoutMs: 90_000,
      intervalMs: 1000,
    });
  });

  test('down ends every process and leaves mounts, links, routes, rules, groups and settings as they were', async () => {
    const started = processesBeside(await hostPid('node'));
    assert.ok(started.size > processes, `expected containers too, found ${started.size} processes`);
    const begin = Date.now();
    await stopEmbedded(name);
    console.error(`down took ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    const left = [...started].filter(([pid, time]) => processStartTime(pid) === time);
    assert.deepEqual(left, []);
    // What others take away meanwhile is their affair.
    const added = (await machineState()).filter((line) => !pristine.includes(line));
    assert.deepEqual(added, []);
    assert.equal(existsSync(cluster.directory), false);
  });

  test('a second start finds the images and is quick', async () => {
    const begin = Date.now();
    cluster = await EmbeddedCluster.start(name, console.error);
    const seconds = (Date.now() - begin) / 1000;
    console.error(`warm start took ${seconds.toFixed(1)} s`);
    const image = `--image=${busyboxImage}`;
    await cluster.kubectl(['run', 'again', image, '--restart=Never', '--command', '--', 'sh', '-c', 'true']);
    const done = ['wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/again', '--timeout=60s'];
    await cluster.kubectl(done, { timeoutMs: 70_000 });
  });
});

/** The cluster's own programs and the node's first process; pods come on top. */
const processes = 10;

async function alive(process: string): Promise<boolean> {
  const record = await new ProcessTable(`${cluster.directory}/processes`).read(process);
  return record !== undefined && processStartTime(record.pid) === record.startTime;
}
