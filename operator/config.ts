/** Settings of the operator, from flags and environment. No other file of the operator reads the environment. */
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { logLevels } from './log.ts';

const count = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
const seconds = (minimum: number, maximum: number) => z.coerce.number().min(minimum).max(maximum);

/** Field `watchNamespace` is flag --watch-namespace and variable FINETUNE_WATCH_NAMESPACE; the flag wins. */
export const settings = z.strictObject({
  watchNamespace: z.string().max(63).default('').describe('Namespace whose jobs are run; empty = all.'),
  leaderElect: z
    .enum(['true', 'false'])
    .default('true')
    .transform((value) => value === 'true')
    .describe('Work only while holding the lease. Needed with more than one replica.'),
  leaseNamespace: z
    .string()
    .max(63)
    .default('')
    .describe('Namespace of the lease; empty = that of the pod, or of the context of the kubeconfig.'),
  leaseSeconds: count(2, 300)
    .default(15)
    .describe(
      'How long a lease lasts from when a renewal is seen. After a crash another replica leads after that long and at most 2/15 of it more. Its holder stops writing after two thirds of it.',
    ),
  leaseName: z.string().min(1).max(253).default('finetune-operator').describe('Name of the lease.'),
  identity: z
    .string()
    .min(1)
    .max(253)
    .default(hostname())
    .describe('Name of this replica, for example the pod.'),
  workers: count(1, 256)
    .default(32)
    .describe(
      'Jobs that are worked on at the same time. No namespace gets more of them than it leaves free: alone, half.',
    ),
  port: count(0, 65_535).default(8080).describe('Port of /metrics, /healthz and /readyz; 0 = any free one.'),
  logLevel: z.enum(logLevels).default('info').describe('Least important level that is logged.'),
  // A run costs 12 writes besides progress: at 300 a second a thousand of them could be through in a minute.
  apiRequestsPerSecond: seconds(1, 10_000)
    .default(300)
    .describe('Requests to the API server, in the long run.'),
  apiBurst: count(1, 10_000).default(500).describe('Requests to the API server at once.'),
  apiTimeoutSeconds: seconds(1, 300).default(30).describe('Time-out of a request to the API server.'),
  pollSeconds: seconds(0.1, 3600)
    .default(5)
    .describe('Time between questions to a trainer about its progress.'),
  statusSeconds: seconds(0.1, 3600)
    .default(10)
    .describe(
      'Shortest time between writes of the progress of a job, or of another detail such as its node.',
    ),
  statusWritesPerSecond: seconds(0.1, 10_000)
    .default(20)
    .describe(
      'Such writes of all jobs together: with more jobs than get theirs within --status-seconds it takes up to thirty times as long.',
    ),
  pollConcurrency: count(1, 1024).default(32).describe('Trainers that are asked at the same time.'),
});
export type Config = z.output<typeof settings>;

const kebab = (field: string) => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const flagOf = (field: string) => `--${kebab(field)}`;
export const variableOf = (field: string) => `FINETUNE_${kebab(field).replaceAll('-', '_').toUpperCase()}`;

/** Throws one line that names each wrong setting. */
export function readConfig(args: string[], environment: NodeJS.ProcessEnv = process.env): Config {
  const fields = Object.keys(settings.shape);
  const options = Object.fromEntries(fields.map((field) => [kebab(field), { type: 'string' as const }]));
  const { values } = parseArgs({ args, options, allowPositionals: false });
  const given: Record<string, string> = {};
  for (const field of fields) {
    const value = values[kebab(field)] ?? environment[variableOf(field)];
    if (typeof value === 'string') given[field] = value;
  }
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => {
    const field = String(path[0]);
    return `${flagOf(field)} (${variableOf(field)}) is "${given[field]}": ${message}`;
  });
  throw new Error(problems.join('; '));
}
