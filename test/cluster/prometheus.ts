import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from './control-plane.ts';
import { ensureProgram } from './packages.ts';
import { isAlive, ProcessTable, spawnLogged, stopProcess } from './processes.ts';
import { waitFor } from './wait.ts';

export type Prometheus = {
  url: string;
  /** Instant query; the `data.result` of Prometheus' answer. */
  query(promql: string): Promise<unknown>;
  /** Range query with times in Unix seconds; the `data.result` of Prometheus' answer. */
  queryRange(promql: string, start: number, end: number, stepSeconds: number): Promise<unknown>;
  stop(): Promise<void>;
};

/**
 * Starts a real Prometheus on 127.0.0.1 with `config` as its prometheus.yml; pods are reached at their own addresses.
 * It goes on when the caller ends, and stops with the cluster. Throws with its log when it does not take the configuration.
 */
export async function startPrometheus(
  cluster: { directory: string },
  options: { config: string },
): Promise<Prometheus> {
  const program = await ensureProgram('prometheus', 'usr/bin/prometheus');
  const directory = join(cluster.directory, 'prometheus');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'prometheus.yml'), options.config, { mode: 0o600 });
  const table = new ProcessTable(join(cluster.directory, 'processes'));
  const running = await table.read('prometheus');
  if (running) await stopProcess(running, 5000);
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const logFile = join(directory, 'prometheus.log');
  const { record } = await spawnLogged(program, args, logFile, { detached: true });
  table.write('prometheus', record);
  await waitFor('Prometheus', async () => (await fetch(`${url}/-/ready`)).ok, {
    timeoutMs: 30_000,
    logFile,
    hopeless: async () => (isAlive(record) ? undefined : 'it has ended'),
  });
  return {
    url,
    query: (promql) => ask(url, 'query', { query: promql }),
    queryRange: (promql, start, end, stepSeconds) =>
      ask(url, 'query_range', {
        query: promql,
        start: String(start),
        end: String(end),
        step: String(stepSeconds),
      }),
    stop: async () => {
      await stopProcess(record, 10_000);
      table.remove('prometheus');
    },
  };
}

async function ask(url: string, path: string, parameters: Record<string, string>): Promise<unknown> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const answer = (await response.json()) as { status: string; error?: string; data?: { result: unknown } };
  if (answer.status !== 'success')
    throw new Error(`Prometheus refused ${parameters['query']}: ${answer.error}`);
  return answer.data?.result;
}
