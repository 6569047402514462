import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { binary, ensureBinaries } from './binaries.ts';
import { freePorts } from './control-plane.ts';
import { isAlive, ProcessTable, spawnLogged, stopProcess } from './processes.ts';
import { prepareS3, type S3Server, s3Command, waitForS3 } from './s3.ts';

/** Starts the S3 server on the machine itself, for clusters whose pods reach the machine at its own address. */
export async function startHostS3(directory: string, log: (line: string) => void): Promise<S3Server> {
  await ensureBinaries(['versitygw'], log);
  await mkdir(directory, { recursive: true });
  const table = new ProcessTable(join(directory, 'processes'));
  const server = await prepareS3(directory, hostAddress(), await keptPort(directory));
  if (isAlive(await table.read('s3'))) return server;
  const { args, env } = s3Command(server);
  const logFile = join(directory, 's3.log');
  const { record } = await spawnLogged(binary('versitygw'), args, logFile, { detached: true, env });
  table.write('s3', record);
  await waitForS3(server, logFile, async () => isAlive(record));
  return server;
}

/** Stops whatever was started on the machine for a cluster: the S3 server, Prometheus. */
export async function stopHostProcesses(directory: string): Promise<void> {
  const table = new ProcessTable(join(directory, 'processes'));
  for (const name of table.names()) {
    const record = await table.read(name);
    if (record) await stopProcess(record, 5000);
  }
}

/** The port stays the same while the cluster is there: jobs have it in their specs. */
async function keptPort(directory: string): Promise<number> {
  const file = join(directory, 's3-port');
  if (!existsSync(file)) await writeFile(file, String((await freePorts(1))[0]));
  return Number(await readFile(file, 'utf8'));
}

/** First IPv4 address of the machine that others can reach; bridges of container engines come last. */
function hostAddress(): string {
  const all = Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
    entries
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => ({ name, address })),
  );
  const virtual = /^(docker|br-|veth|finetune|virbr|cni)/;
  const best = all.find(({ name }) => !virtual.test(name)) ?? all[0];
  if (!best)
    throw new Error('this machine has no network address but loopback, so pods cannot reach its S3 server');
  return best.address;
}
