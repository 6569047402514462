/** The operator as its image runs it: one process, with the rights and the memory that the chart gives and the default settings. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeasuredProcess } from './measured-process.ts';

type Options = {
  program: string;
  kubeconfig: string;
  port: number;
  logFile: string;
  flags: string[];
  /** File that takes the ids of the processes of a control group: V8 sizes its heap by the limit of its memory. */
  group: string;
};

export class OperatorProcess extends MeasuredProcess {
  constructor({ program, kubeconfig, port, logFile, flags, group }: Options) {
    const image = imageSettings();
    const node = [process.execPath, ...image.flags, program, `--port=${port}`, ...flags];
    super({
      command: ['sh', '-c', 'echo $$ > "$0" && exec "$@"', group, ...node],
      env: { ...image.env, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] },
      port,
      logFile,
    });
  }

  /** All series of /metrics, one a line. */
  async series(): Promise<string[]> {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  }

  /** Sum of a metric over all its series. */
  async metric(name: string): Promise<number> {
    return sumOf(await this.series(), name);
  }
}

/** Environment and flags of Node in the image of the operator. */
function imageSettings(): { env: Record<string, string>; flags: string[] } {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const stage = /^FROM runtime AS operator$(.*?)(?=^FROM )/ms.exec(dockerfile)?.[1] ?? '';
  const entrypoint = /^ENTRYPOINT (\["node", .*"\/app\/operator\.mjs"\])$/m.exec(stage)?.[1];
  if (entrypoint === undefined) throw new Error('the Dockerfile has no ENTRYPOINT that starts the operator');
  const pairs = [...stage.matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) => line.split(' '));
  return {
    env: Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string])),
    flags: (JSON.parse(entrypoint) as string[]).slice(1, -1),
  };
}

/** Sum of a metric over its series. */
export function sumOf(series: readonly string[], name: string): number {
  return series
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
