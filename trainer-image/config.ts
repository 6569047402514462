/** The only file of the trainer that reads the environment and the run config. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { httpPort, paths, podIdentity, type RunConfig, runConfig } from '../crds/trainer-contract.ts';
import { TrainerError } from './failure.ts';
import { logLevels } from './log.ts';

const environment = z.object({
  FINETUNE_RUN_CONFIG: z.string().default(paths.runConfig),
  FINETUNE_WORK: z.string().default(paths.work),
  FINETUNE_TERMINATION_LOG: z.string().default(paths.terminationMessage),
  FINETUNE_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(httpPort),
  FINETUNE_TENSORFLOW: z.string().default('/opt/tensorflow'),
  FINETUNE_LOG_LEVEL: z.enum(logLevels).default('info'),
  /** Seconds after SIGTERM at which the trainer gives up on its last checkpoint; below the pod's grace period. */
  FINETUNE_GRACE_SECONDS: z.coerce.number().min(0).max(86_400).default(100),
  [podIdentity.uid]: z.string().default(''),
  [podIdentity.name]: z.string().default(''),
  [podIdentity.node]: z.string().default(''),
});

export type Settings = {
  runConfigFile: string;
  workDirectory: string;
  terminationFile: string;
  httpPort: number;
  tensorflowDirectory: string;
  logLevel: (typeof logLevels)[number];
  graceSeconds: number;
  podUid: string;
  podName: string;
  nodeName: string;
};

/** @throws TrainerError ConfigError naming each variable that is wrong */
export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  const parsed = environment.safeParse(variables);
  if (!parsed.success) {
    throw new TrainerError(
      'ConfigError',
      `environment of the trainer: ${issues(parsed.error)}`,
      'Correct the environment of the trainer container.',
    );
  }
  const env = parsed.data;
  return {
    runConfigFile: env.FINETUNE_RUN_CONFIG,
    workDirectory: env.FINETUNE_WORK,
    terminationFile: env.FINETUNE_TERMINATION_LOG,
    httpPort: env.FINETUNE_HTTP_PORT,
    tensorflowDirectory: env.FINETUNE_TENSORFLOW,
    logLevel: env.FINETUNE_LOG_LEVEL,
    graceSeconds: env.FINETUNE_GRACE_SECONDS,
    podUid: env[podIdentity.uid] as string,
    podName: env[podIdentity.name] as string,
    nodeName: env[podIdentity.node] as string,
  };
}

/** Which run a broken config belongs to, as far as that can be told. */
export type RunIdentity = { jobUid: string; runId: string };

/**
 * Reads and checks the run config.
 * @returns the config, or the error together with the identity of the run, so that the failure reaches its job
 */
export function readRunConfig(file: string): ReadRunConfig {
  try {
    return parseRunConfig(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    return unreadable(file, cause as Error);
  }
}

export type ReadRunConfig = { config: RunConfig } | { error: TrainerError; identity: RunIdentity };

const hint = 'The operator writes this file; operator and trainer image must be of the same release.';

/** The same for the content of the file. */
export function parseRunConfig(text: string, file: string): ReadRunConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return unreadable(file, cause as Error);
  }
  const parsed = runConfig.safeParse(json);
  if (parsed.success) return { config: parsed.data };
  const message = `${file}: ${issues(parsed.error)}`;
  return { error: new TrainerError('ConfigError', message, hint), identity: identityIn(json) };
}

function unreadable(file: string, cause: Error): ReadRunConfig {
  const message = `${file}: cannot be read as JSON: ${cause.message}`;
  return {
    error: new TrainerError('ConfigError', message, hint, { cause }),
    identity: { jobUid: '', runId: '' },
  };
}

const identitySchema = z.object({
  job: z.object({ uid: z.string().max(64).catch(''), runId: z.string().max(32).catch('') }),
});

function identityIn(json: unknown): RunIdentity {
  const parsed = identitySchema.safeParse(json);
  return parsed.success
    ? { jobUid: parsed.data.job.uid, runId: parsed.data.job.runId }
    : { jobUid: '', runId: '' };
}

function issues(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
}
