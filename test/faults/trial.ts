/** One run of one workload under one fault. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { differences, type EndState, endStateOf } from './end-state.ts';
import { type Fault, Striker } from './faults.ts';
import { violationsOf } from './invariants.ts';
import { Kubelet } from './kubelet.ts';
import { FaultProxy } from './proxy.ts';
import { Replica } from './replica.ts';
import type { Stage } from './stage.ts';
import { roleOf, type Workload } from './workloads.ts';
import { World } from './world.ts';

export type Trial = { workload: Workload; fault: Fault; program: string };

export type Outcome = {
  /** Whether the fault struck. */
  fired: boolean;
  endState: EndState;
  /** Names of requests and events in order. */
  seen: string[];
  /** What was wrong; empty = nothing. */
  problems: string[];
  /** Logs of the operators, for reports. */
  log: string[];
};

/** In a run with one of these the world goes on while the operator sees nothing. */
const unpaced: readonly string[] = ['delay', 'window', 'silence'];

/** What a trainer says only while it lives, and how many there were: lost when nobody looked meanwhile. */
const unnoticed =
  /status\.(device|history|progress|usage|checkpoints|resumedFromStep|attempt\.number|failure\.attempt)/;

/** Without a change for so long a run is over. What nobody knows the end of yet gets longer: the Job controller waits a second. */
const quietMs = { known: 500, learned: 2500 };

/** Longer than the operator takes to find out that a watch is dead. */
const patienceMs = 240_000;
/** Time for the end state to become that of the reference, after the script. */
const settleMs = 45_000;

/**
 * @param reference the end state without faults; undefined while it is being learned
 * @param limitMs time for each step of the script, and for the end state to become that of the reference
 */
export async function runTrial(
  stage: Stage,
  { workload, fault, program }: Trial,
  reference?: EndState,
  limitMs?: number,
): Promise<Outcome> {
  const { namespace, address } = await stage.newNamespace();
  const striker = new Striker(fault);
  const scene = stage.witness.scene(namespace);
  const end = new AbortController();
  const paced = !unpaced.includes(fault.how);
  const world = new World({
    api: stage.api,
    scene,
    namespace,
    paced,
    end: end.signal,
    patienceMs: limitMs ?? patienceMs,
  });
  const kubelet = new Kubelet({
    api: stage.api,
    scene,
    namespace,
    address,
    roleOf: (cast) => roleOf(workload, world, cast),
    // The operator says at once that a trainer has a pod; nothing is written about the way to a node.
    noticed: ({ stage: which, podUid }) =>
      world.noticed(() => which !== 'train' || world.job()?.status?.attempt?.podUID === podUid),
  });
  await kubelet.start();
  const operators = await startOperators(stage, workload, { program, namespace, striker });
  const problems: string[] = [];
  try {
    await workload.prepare?.(world);
    for (const { replica } of operators) replica.start();
    await workload.script(world);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const current = () => endStateOf(scene, namespace);
  const differing = (state: EndState) =>
    (reference === undefined ? [] : differences(reference, state, workload.unsettled)).filter(
      (difference) => paced || !unnoticed.test(difference),
    );
  const isDone = () => problems.length > 0 || differing(current()).length === 0;
  await settle(
    scene.history,
    isDone,
    limitMs ?? settleMs,
    reference === undefined ? quietMs.learned : quietMs.known,
  );
  const endState = current();
  end.abort();
  await Promise.all(operators.map(({ replica }) => replica.stop()));
  for (const { proxy } of operators) proxy.stop();
  await kubelet.stop();
  problems.push(
    ...differing(endState),
    ...violationsOf(scene.history),
    ...kubelet.complaints,
    ...operators.flatMap(({ replica, proxy }) => [
      ...(workload.election
        ? replica.complaints.filter((each) => !each.startsWith('the operator ended'))
        : replica.complaints),
      ...proxy.idleWrites.map((id) => `a write that changed nothing: ${id}`),
      ...proxy.refused.map((what) => `not allowed: ${what}`),
    ]),
  );
  await stage.clear(namespace);
  return {
    fired: striker.fired,
    endState,
    seen: striker.seen,
    problems,
    log: operators.flatMap(({ replica }) => replica.log),
  };
}

/** Until it is done and nothing happened for a while, or the time is over. */
async function settle(
  history: readonly unknown[],
  isDone: () => boolean,
  limitMs: number,
  quiet: number,
): Promise<void> {
  const end = performance.now() + limitMs;
  let [length, since] = [-1, 0];
  while (performance.now() < end) {
    if (history.length !== length) [length, since] = [history.length, performance.now()];
    else if (performance.now() - since > quiet && isDone()) return;
    await sleep(100);
  }
}

type Parts = { program: string; namespace: string; striker: Striker };
type RunningOperator = { replica: Replica; proxy: FaultProxy };

async function startOperators(
  stage: Stage,
  workload: Workload,
  { program, namespace, striker }: Parts,
): Promise<RunningOperator[]> {
  const { replicas = 1, election = false } = workload;
  const directory = join(stage.directory, namespace);
  await mkdir(directory, { recursive: true });
  return Promise.all(
    Array.from({ length: replicas }, async (_, i) => {
      const kill = () => replica.kill();
      const { access } = stage.api;
      const proxy = new FaultProxy({
        access,
        striker,
        kill,
        restartServer: (how) => stage.restartServer(how),
        isServerReady: () => stage.isServerReady,
      });
      const kubeconfig = join(directory, `operator-${i}`);
      await writeFile(kubeconfig, stage.kubeconfig(await proxy.start()), { mode: 0o600 });
      const flags = [
        `--watch-namespace=${namespace}`,
        `--lease-namespace=${namespace}`,
        `--leader-elect=${election}`,
        `--identity=operator-${i}`,
        '--api-timeout-seconds=2',
        '--poll-seconds=0.2',
        '--status-seconds=5',
        ...(election ? ['--lease-seconds=3'] : []),
      ];
      const replica: Replica = new Replica({ program, kubeconfig, flags });
      return { replica, proxy };
    }),
  );
}
