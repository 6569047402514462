/** What a workload makes its pods do, and what has to have come of it. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import { interruptedAt, success } from './endings.ts';
import { type Cast, passed, type Role } from './kubelet.ts';
import type { Scene } from './witness.ts';
import type { Workload } from './workloads.ts';
import type { World } from './world.ts';

/** What the pods of a workload do, and what the operator should have noticed before they end. */
export function roleOf(
  { trainer = success, preflight = passed, isHeard = false }: Workload,
  world: World,
  cast: Cast,
): Role {
  const status = () => world.job()?.status;
  if (cast.stage === 'preflight') {
    return {
      before: () => world.noticed(() => status()?.phase === 'Preflight' && world.says('PreflightRunning')),
      end: preflight(cast),
    };
  }
  const heard = () => status()?.attempt?.podUID === cast.podUid && status()?.progress?.step === 10;
  const saved = () => status()?.checkpoints?.[0]?.step === interruptedAt;
  const after = () => world.noticed(saved);
  return { before: () => world.noticed(heard), end: trainer(cast), ...(isHeard && { after }) };
}

/** What is wrong with the end, whatever a run without faults came to. */
export function misendOf({ ends, trainers }: Workload, scene: Scene): string[] {
  const status = scene.of<FineTuneJob>('FineTuneJob').at(-1)?.status;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const end = scene.of('FineTuneJob').length === 0 ? 'gone' : `${status?.phase} ${ready?.reason}`;
  const pods = scene.history
    .filter(({ object }) => object.kind === 'Pod')
    .map(({ object }) => object as V1Pod);
  const trained = pods.filter(({ metadata }) => metadata?.labels?.[labels.stage] === 'train');
  const count = new Set(trained.map(({ metadata }) => metadata?.uid)).size;
  return [
    ...(end === ends ? [] : [`it ended as "${end}", not as "${ends}"`]),
    ...(trainers === undefined || count === trainers ? [] : [`${count} pods trained, not ${trainers}`]),
  ];
}
