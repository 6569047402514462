import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import {
  childrenOf,
  isAlive,
  type ProcessRecord,
  ProcessTable,
  spawnLogged,
  stopProcess,
} from './processes.ts';
import { waitFor } from './wait.ts';

/** Paths built into containerd, CNI and the kubelet. Each cluster gets folders of its own mounted over them. */
export const mountPoints = [
  '/run/containerd',
  '/run/netns',
  '/var/lib/cni',
  '/var/lib/kubelet',
  '/var/log/pods',
  '/var/log/containers',
];

/**
 * The node as a set of kernel namespaces (processes, mounts, network), like a container without an image: it sees the
 * machine's files, but its mounts, interfaces, firewall rules and processes are its own. When its first process ends, the
 * kernel ends all others in it and frees the rest: nothing can be left behind, however a command was interrupted.
 */
export class Namespaces {
  readonly #table: ProcessTable;
  readonly #logs: string;
  readonly #state: string;

  constructor(directory: string) {
    this.#table = new ProcessTable(join(directory, 'processes'));
    this.#logs = join(directory, 'logs');
    this.#state = directory;
  }

  /** Log file of a process of the node. */
  logFile(name: string): string {
    return join(this.#logs, `${name}.log`);
  }

  /** Makes the namespaces. Returns the host's process id of the node's first process. */
  async create(): Promise<number> {
    mkdirSync(this.#logs, { recursive: true });
    const kept = this.#kept;
    for (const at of mountPoints) mkdirSync(at, { recursive: true });
    for (const from of Object.values(kept)) mkdirSync(from, { recursive: true });
    const script = [
      'set -e',
      // Pods may ask for mount propagation; inside the node everything is shared, towards the host nothing.
      'mount --make-rshared /',
      ...mountPoints.map((at) =>
        kept[at] ? `mount --bind "${kept[at]}" ${at}` : `mount -t tmpfs tmpfs ${at}`,
      ),
      // As the first process of its process namespace bash inherits and reaps all orphans.
      'while true; do sleep 3600 & wait $!; done',
    ].join('\n');
    const flags = ['--fork', '--kill-child', '--pid', '--mount-proc', '--mount', '--net', '--ipc'];
    const logFile = this.logFile('node');
    const { record } = await spawnLogged('unshare', [...flags, 'bash', '-c', script], logFile, {
      detached: true,
    });
    this.#table.write('node', record);
    return waitFor('the namespaces of the node', async () => this.#whenMounted(record), {
      timeoutMs: 20_000,
      intervalMs: 20,
      logFile,
      hopeless: async () => (isAlive(record) ? undefined : 'unshare has ended'),
    });
  }

  /** Host's process id of the node's first process, or undefined when the node is down. */
  async pid(): Promise<number | undefined> {
    const record = await this.#table.read('node');
    return isAlive(record) ? childrenOf(record.pid)[0] : undefined;
  }

  /** Starts a process in the node, detached, recorded under its name. */
  async start(name: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const enter = await this.#enter();
    const { record } = await spawnLogged('nsenter', [...enter, command, ...args], this.logFile(name), {
      detached: true,
      env,
    });
    this.#table.write(name, record);
  }

  /** Runs a command in the node to its end and returns its stdout. */
  async run(command: string, args: string[], options?: Parameters<typeof run>[2]): Promise<string> {
    return run('nsenter', [...(await this.#enter()), command, ...args], options);
  }

  async isRunning(name: string): Promise<boolean> {
    return isAlive(await this.#table.read(name));
  }

  /** Stops one process of the node and waits for its end. nsenter only waits; the program is its child. */
  async stop(name: string, graceMs: number): Promise<void> {
    const record = await this.#table.read(name);
    if (isAlive(record)) await stopProcess(record, graceMs, childrenOf(record.pid));
    this.#table.remove(name);
  }

  /** Ends every process of the node at once, and with them the namespaces. */
  async destroy(): Promise<void> {
    const record = await this.#table.read('node');
    const first = await this.pid();
    if (record) await stopProcess(record, 0);
    // The kernel ends the other processes one after the other; the first one is gone when all are.
    await waitFor('the end of the node', async () => first === undefined || !existsSync(`/proc/${first}`), {
      timeoutMs: 20_000,
      intervalMs: 20,
    });
    for (const name of this.#table.names()) this.#table.remove(name);
  }

  async #whenMounted(record: ProcessRecord): Promise<number | undefined> {
    const pid = childrenOf(record.pid)[0];
    if (pid === undefined) return undefined;
    const mounted = (await run('cat', [`/proc/${pid}/mountinfo`])).includes(` ${mountPoints.at(-1)} `);
    return mounted ? pid : undefined;
  }

  async #enter(): Promise<string[]> {
    const pid = await this.pid();
    if (pid === undefined) throw new Error(`the node of ${this.#state} is not running`);
    return ['--target', String(pid), '--pid', '--mount', '--net', '--ipc', '--'];
  }

  /** What of the mount points outlives the node's processes. */
  get #kept(): Record<string, string> {
    return {
      '/var/lib/kubelet': join(this.#state, 'kubelet'),
      '/var/log/pods': join(this.#logs, 'pods'),
      '/var/log/containers': join(this.#logs, 'containers'),
    };
  }
}
