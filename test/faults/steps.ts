/** Steps of the workloads: what users and clusters do, and what they wait for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reason } from '../../crds/conditions.ts';
import type { Changes } from '../crds/objects.ts';
import { collections } from './direct-api.ts';
import type { Identity } from './endings.ts';
import type { End } from './kubelet.ts';
import type { World } from './world.ts';

/** It runs, and was asked once: an operator that is away from then on until it is stopped could tell nothing of it. */
const trains = (world: World) => () =>
  world.says('TrainingRunning') && world.job()?.status?.progress !== undefined;
export const trainerRuns = async (world: World) => {
  await world.until('a trainer runs', () =>
    world.trainers().some(({ status }) => status?.phase === 'Running'),
  );
  await world.noticed(trains(world));
  // Pods of one second cannot be told apart by age.
  await sleep(1100);
};
export const runsToEnd = async (world: World) => {
  await world.create();
  await world.ended();
};

export async function isHeld(world: World, reason: Reason): Promise<void> {
  await world.until('no trainer is left', () => world.trainers().length === 0);
  await world.noticed(() => world.says(reason));
}

/** What a queue does to a Job. */
export async function admission(world: World, admitted: boolean): Promise<void> {
  await world.until('the train Job is there', () => world.batchJob('train') !== undefined);
  await world.noticed(() => world.says(admitted ? 'TrainingQueued' : 'TrainingRunning'));
  await world.change(collections.jobs, world.batchJob('train')!.metadata!.name!, {
    spec: { suspend: !admitted },
  });
}

export const isGone = (world: World) =>
  world.until('everything is gone', () => {
    const jobs = ['preflight', 'train'].map((stage) => world.batchJob(stage));
    return (
      world.job() === undefined && world.trainers().length === 0 && jobs.every((job) => job === undefined)
    );
  });

/** Its user deletes a job once the operator says this of it. */
export async function deletedWhen(world: World, reason: Reason, changes: Changes = {}): Promise<void> {
  await world.create(changes);
  await world.until(`the operator says ${reason}`, () => world.says(reason));
  await world.remove(collections.fineTuneJobs, 'spam');
  await isGone(world);
}

/** A trainer ends while no operator runs, and the Job controller has seen it when one starts again. */
export async function endsUnattended(
  world: World,
  end: (cast: Identity) => End,
  jobEnds: string,
): Promise<void> {
  await world.create();
  await trainerRuns(world);
  await world.unattended(async () => {
    await world.endTrainer(end);
    await world.until(
      `the Job is ${jobEnds}`,
      () =>
        world
          .batchJob('train')
          ?.status?.conditions?.some(({ type, status }) => type === jobEnds && status === 'True') === true,
    );
  });
  await world.ended();
}

export async function suspendAndResume(world: World): Promise<void> {
  await world.create();
  await trainerRuns(world);
  await world.setSpec({ suspend: true });
  await isHeld(world, 'SuspendedByUser');
  // A quiet moment: only the watch of the jobs tells of what comes next.
  await sleep(1500);
  await world.setSpec({ suspend: false });
  await world.ended();
}
