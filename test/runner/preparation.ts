/** What is slow to get on a fresh machine. Steps that do not need each other run side by side, from the first moment. */
import { tensorflowDirectory } from '../../trainer-image/tensorflow/directory.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { clusterTools } from '../cluster/embedded.ts';
import { buildImages } from '../cluster/images.ts';
import { ensurePackages, ensureProgram } from '../cluster/packages.ts';
import { miniLmDirectory } from '../golden/minilm.ts';
import { pythonPeers } from '../golden/python.ts';

type Log = (line: string) => void;
type Step = { after: readonly StepName[]; run(log: Log): Promise<unknown> };

export type StepName =
  | 'packages'
  | 'api-server'
  | 'job-controller'
  | 's3-server'
  | 'cluster-programs'
  | 'tensorflow'
  | 'images'
  | 'prometheus'
  | 'minilm'
  | 'python-peers';

export const steps: Record<StepName, Step> = {
  packages: { after: [], run: ensurePackages },
  'api-server': { after: [], run: (log) => ensureBinaries(['etcd', 'kube-apiserver', 'kubectl'], log) },
  'job-controller': { after: ['api-server'], run: (log) => ensureBinaries(['kube-controller-manager'], log) },
  's3-server': { after: ['api-server'], run: (log) => ensureBinaries(['versitygw'], log) },
  'cluster-programs': {
    after: ['api-server', 'job-controller', 's3-server'],
    run: (log) => ensureBinaries(clusterTools, log),
  },
  tensorflow: { after: ['packages'], run: tensorflowDirectory },
  images: { after: ['packages', 'tensorflow'], run: buildImages },
  prometheus: { after: ['packages'], run: (log) => ensureProgram('prometheus', 'usr/bin/prometheus', log) },
  minilm: { after: ['packages'], run: miniLmDirectory },
  'python-peers': { after: ['packages'], run: pythonPeers },
};

/** Outcome of each step that was started: undefined when it went well. */
export type Preparation = { outcomeOf(name: StepName): Promise<Error | undefined> };

/** Starts the steps that `wanted` and what they build upon need; a step whose ground is missing is not tried. */
export function prepare(
  wanted: readonly StepName[],
  log: Log,
  table: Record<StepName, Step> = steps,
): Preparation {
  const started = new Map<StepName, Promise<Error | undefined>>();
  const start = (name: StepName): Promise<Error | undefined> => {
    const known = started.get(name);
    if (known) return known;
    const outcome = runStep(name, table[name], start, log);
    started.set(name, outcome);
    return outcome;
  };
  for (const name of wanted) void start(name);
  return { outcomeOf: start };
}

async function runStep(
  name: StepName,
  step: Step,
  start: (name: StepName) => Promise<Error | undefined>,
  log: Log,
): Promise<Error | undefined> {
  const ground = await Promise.all(step.after.map(start));
  const missing = ground.find((error) => error !== undefined);
  if (missing) return missing;
  try {
    await step.run((line) => log(`[${name}] ${line}`));
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return new Error(`preparing ${name} failed: ${reason}`, { cause: error });
  }
}
