/** One run of one workload under one fault. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { labels } from '../../operator/manifests/names.ts';
import { timeoutMs } from './aftermath.ts';
import { differences, type EndState, endStateOf } from './end-state.ts';
import { type Fault, Striker } from './faults.ts';
import { violationsOf } from './invariants.ts';
import { Kubelet } from './kubelet.ts';
import { misendOf, roleOf } from './parts.ts';
import { FaultProxy } from './proxy.ts';
import { Replica } from './replica.ts';
import type { Stage } from './stage.ts';
import type { Scene } from './witness.ts';
import { excessOf, type Work, workOf } from './work.ts';
import type { Workload } from './workloads.ts';
import { World } from './world.ts';

export type Trial = { workload: Workload; fault: Fault; program: string };

/** What a run without faults comes to, and how many requests it takes. */
export type Reference = { endState: EndState; work: Work };

export type Outcome = {
  /** Whether the fault struck. */
  fired: boolean;
  endState: EndState;
  /** Names of requests and events in order. */
  seen: string[];
  /** How many the operators sent, writes by their names. */
  work: Work;
  /** What was wrong; empty = nothing. */
  problems: string[];
  /** Logs of the operators, for reports. */
  log: string[];
};

/** From the moment when one of these strikes the world goes on while the operator sees nothing. */
const unpaced: readonly string[] = ['delay', 'window', 'silence'];

/** What a trainer says while it lives, and a failure does not repeat: lost when nobody asked. */
const unheard =
  /\.status\.(device|history|progress|checkpoints|resumedFromStep|usage\.(trainSeconds|trainedTokens))/;
/** How many trainers there were: lost when the pod of one went while nobody looked. */
const uncounted = /\.status\.(attempt\.number|usage\.attempts|failure\.attempt)/;

/**
 * Without a change for so long a run is over. What nobody knows the end of yet gets longer, since the Job controller waits a
 * second; and so does a fault that has not struck yet.
 */
const quietMs = { known: 500, learned: 2500 };

/** Longer than the operator takes to find out that a watch is dead. */
const patienceMs = 240_000;
/** Time for the end state to become that of the reference, after the script. */
const settleMs = 45_000;

/**
 * @param reference what a run without faults comes to and costs; undefined while it is being learned
 * @param limitMs time for each step of the script, and for the end state to become that of the reference
 */
export async function runTrial(
  stage: Stage,
  { workload, fault, program }: Trial,
  reference?: Reference,
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
    end: end.signal,
    patienceMs: limitMs ?? patienceMs,
  });
  if (!paced) striker.onStrike = () => world.goOn();
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
  // Each of two leaders may patch what the other one has patched: a patch has no version to lose by.
  const areTwo = operators.length > 1 && !workload.election;
  const problems: string[] = [];
  try {
    world.operators = operators.map(({ replica }) => replica);
    await workload.prepare?.(world);
    for (const { replica } of operators) replica.start();
    await workload.script(world);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const current = () => endStateOf(scene, namespace);
  const differing = (state: EndState) =>
    (reference === undefined ? [] : differences(reference.endState, state, workload.unsettled)).filter(
      (difference) => paced || !isLost(difference, workload, scene),
    );
  const isDone = () => problems.length > 0 || differing(current()).length === 0;
  const isPlayedOut = () => operators.every(({ proxy }) => proxy.aftermath.isOver);
  await settle({
    history: scene.history,
    isDone,
    isPlayedOut,
    limitMs: limitMs ?? (fault.how === 'silence' ? patienceMs : settleMs),
    quietMs: () => (reference === undefined || !striker.fired ? quietMs.learned : quietMs.known),
  });
  if (!isPlayedOut()) problems.push('the operator never came back from the fault');
  const endState = current();
  end.abort();
  await Promise.all(operators.map(({ replica }) => replica.stop()));
  for (const { proxy } of operators) proxy.stop();
  await kubelet.stop();
  const work = workOf(
    striker.seen,
    operators.reduce((sum, { proxy }) => sum + proxy.requests, 0),
  );
  problems.push(
    ...differing(endState),
    ...misendOf(workload, scene),
    ...(reference === undefined ? [] : excessOf(reference.work, work)),
    ...violationsOf(scene.history),
    ...kubelet.complaints,
    ...operators.flatMap(({ replica, proxy }) => [
      ...(workload.election
        ? replica.complaints.filter((each) => !each.startsWith('the operator ended'))
        : replica.complaints),
      ...proxy.idleWrites.map((id) => `a write that changed nothing: ${id}`),
      ...(areTwo ? [] : proxy.idlePatches.map((id) => `a patch that changed nothing: ${id}`)),
      ...proxy.foreignWrites.map((id) => `a write to what is not its own: ${id}`),
      ...proxy.refused.map((what) => `not allowed: ${what}`),
    ]),
  );
  await stage.clear(namespace);
  return {
    fired:
      striker.fired && (fault.how !== 'kill-stale' || operators.some(({ proxy }) => proxy.staleLists > 0)),
    endState,
    seen: striker.seen,
    work,
    problems,
    log: operators.flatMap(({ replica }) => replica.log),
  };
}

/** Whether what differs could not be known, in a run in which the world went on unseen. */
function isLost(difference: string, { ends }: Workload, { history }: Scene): boolean {
  const isGone = history.some(({ type, object: { kind, metadata } }) => {
    return type === 'DELETED' && kind === 'Pod' && metadata?.labels?.[labels.stage] === 'train';
  });
  // The result of a trainer that came to its goal says everything again.
  const isRepeated = /^(Succeeded|Rejected) /.test(ends);
  return isGone
    ? unheard.test(difference) || uncounted.test(difference)
    : !isRepeated && unheard.test(difference);
}

type Settling = {
  history: readonly unknown[];
  isDone: () => boolean;
  /** Whether everything that the fault does is over. */
  isPlayedOut: () => boolean;
  limitMs: number;
  quietMs: () => number;
};

/** Until it is done and nothing has happened for a while, the fault included; or the time is over. */
async function settle({ history, isDone, isPlayedOut, limitMs, quietMs }: Settling): Promise<void> {
  const end = performance.now() + limitMs;
  let [length, since] = [-1, 0];
  while (performance.now() < end) {
    if (history.length !== length || !isPlayedOut()) [length, since] = [history.length, performance.now()];
    else if (performance.now() - since > quietMs() && isDone()) return;
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
        `--api-timeout-seconds=${timeoutMs / 1000}`,
        '--poll-seconds=0.2',
        '--status-seconds=5',
        ...(election ? ['--lease-seconds=3'] : []),
      ];
      const replica: Replica = new Replica({ program, kubeconfig, flags });
      return { replica, proxy };
    }),
  );
}
