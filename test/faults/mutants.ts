/** Defects planted on purpose: a suite that does not find them proves nothing. */
import { bundleOperator, type Patch } from './bundle.ts';
import { type Plan, placeOf, planOf } from './plans.ts';
import type { Stage } from './stage.ts';
import { type Learned, runPlans } from './suite.ts';
import type { WorkloadName } from './workloads.ts';

/** `plans` strike where the defect shows, named by what happens there, and every run without a fault comes there. */
export type Mutant = { name: string; patches: Patch[]; plans: string[] };

const notReadAnew: Patch = {
  file: 'operator/decide/doubt.ts',
  find: "kind !== 'create' || isMadeAgain(run)",
  replace: "kind !== 'create'",
};

export const mutants: readonly Mutant[] = [
  {
    name: 'children are matched by name instead of UID',
    patches: [
      {
        file: 'operator/manifests/names.ts',
        find: 'update(`$' + '{job.uid}/',
        replace: 'update(`$' + '{job.name}/',
      },
      {
        file: 'operator/controller/observe.ts',
        find: 'pods: caches.podsOf(uid),',
        replace:
          'pods: [...caches.pods.values()].filter((pod) => pod.metadata?.labels?.[labels.job] === job.metadata.name),',
      },
      {
        file: 'operator/controller/observe.ts',
        find: "caches.batchJobs.by('owner', uid).map(",
        replace: `[...caches.batchJobs.values()]
          .filter((job) => job.metadata?.labels?.[labels.job] === caches.jobs.by('uid', uid)[0]?.metadata.name)
          .map(`,
      },
      {
        file: 'operator/controller/execute.ts',
        find: 'controllerUid(existing) !== jobUid',
        replace: 'false',
      },
    ],
    plans: ['orphaned/500/create-job-preflight.2', 'orphaned/kill-after/create-job-preflight.2'],
  },
  {
    name: 'the owner of an object that exists already is not looked at',
    patches: [
      {
        file: 'operator/controller/execute.ts',
        find: 'controllerUid(existing) !== jobUid',
        replace: 'false',
      },
    ],
    plans: ['name-taken/500/status-Pending-NameTaken.1', 'name-taken/kill-after/status-Pending-NameTaken.1'],
  },
  {
    name: 'a status is written over whatever was written since',
    patches: [
      {
        file: 'operator/controller/execute.ts',
        find: 'const metadata = { namespace, name, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };',
        replace: `const { metadata: newest } = await client.get(fineTuneJobs, { namespace, name }, signal);
  const metadata = { namespace, name, uid, resourceVersion: newest?.resourceVersion };`,
      },
    ],
    plans: [1, 3].map((nth) => `two-leaders/delay/event-of-finetunejobs-spec.${nth}`),
  },
  {
    name: 'own writes are forgotten while the caches do not show them',
    patches: [
      {
        file: 'operator/controller/memory.ts',
        find: 'if (write.resource !== resource) continue;',
        replace: 'continue;',
      },
      // Alone it would do no harm here.
      notReadAnew,
    ],
    plans: ['child-deleted-after-end/delay/event-of-finetunejobs-Succeeded-Succeeded.1'],
  },
  {
    name: 'a Job is made again without a look at whether its job is still there',
    patches: [notReadAnew],
    plans: ['delete-midway/delay/event-of-finetunejobs-deleted.1'],
  },
  {
    name: 'the status is written before what it says is done',
    patches: [
      {
        file: 'operator/controller/execute.ts',
        find: '  for (const action of plan.actions) {',
        replace: `  const early = JSON.parse(JSON.stringify(plan.status)) as FineTuneJobStatus;
  if (!isDeepStrictEqual(early, job.status)) {
    await writeStatus(job, early, dependencies, signal);
    return 'again';
  }
  for (const action of plan.actions) {`,
      },
    ],
    plans: ['suspend-resume/kill-after/status-Suspended-SuspendedByUser.1', 'success/500/create-job-train.1'],
  },
  {
    name: 'what a list shows after a gap does not wake the passes',
    patches: [
      {
        file: 'operator/kube/watch.ts',
        find: 'this.#hand(store.replace(effect.objects));',
        replace: 'const news = [...store.replace(effect.objects)]; if (!this.#synced) this.#hand(news);',
      },
    ],
    plans: ['suspend-resume/gone/event-of-finetunejobs-spec.2'],
  },
];

/** A mutant does not come to rest by itself. The operator comes through the same plans in less: a test makes sure. */
export const limitMs = 15_000;

/** Runs a mutant under its plans. @returns what told it from the operator; undefined = nothing did */
export async function findMutant(
  stage: Stage,
  { patches, plans }: Mutant,
  learned: ReadonlyMap<WorkloadName, Learned>,
  directory: string,
): Promise<string | undefined> {
  for (const id of plans) {
    if (!isLearned(planOf(id), learned))
      throw new Error(`no run without a fault comes to the place of ${id}`);
  }
  const program = await bundleOperator(directory, patches);
  const results = await runPlans(stage, plans.map(planOf), learned, program, () => {}, limitMs);
  return results.find(({ verdict }) => verdict === 'different')?.problems[0];
}

function isLearned(plan: Plan, learned: ReadonlyMap<WorkloadName, Learned>): boolean {
  return learned.get(plan.workload)?.places.includes(placeOf(plan)) === true;
}
