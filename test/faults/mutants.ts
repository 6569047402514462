/** Defects planted on purpose: a suite that does not find them proves nothing. */
import { labels } from '../../operator/manifests/names.ts';
import type { Patch } from './bundle.ts';

/**
 * `plans` strike where the defect shows, named by what happens there, and every run without a fault comes there. What they
 * find counts only if it is what the defect does.
 */
export type Mutant = { name: string; patches: Patch[]; plans: string[]; telling: RegExp };

const notReadAnew: Patch = {
  file: 'operator/decide/doubt.ts',
  find: "action.kind === 'create' ? wasMadeBefore(run, since)",
  replace: "action.kind === 'create' ? false",
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
        find: 'pods: caches.podsOf(job.metadata),',
        replace: `pods: [...caches.pods.values()].filter((pod) => pod.metadata?.labels?.['${labels.job}'] === job.metadata.name),`,
      },
      {
        file: 'operator/controller/observe.ts',
        find: 'caches.batchJobsOf(metadata).map(',
        replace: `[...caches.batchJobs.values()]
          .filter((job) => job.metadata?.labels?.['${labels.job}'] === metadata.name)
          .map(`,
      },
      {
        file: 'operator/controller/execute.ts',
        find: 'controllerUid(existing) !== jobUid',
        replace: 'false',
      },
    ],
    plans: ['orphaned/500/create-job-preflight.2', 'orphaned/kill-after/create-job-preflight.2'],
    // It takes the Jobs of the first job for its own, and none is made for the second.
    telling: /CREATE Job spam#2 run 1 preflight: nothing instead of 1/,
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
    telling: /not within .*: the operator says so/,
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
    telling: /a write that changed nothing: status|fell|vanished|was taken back/,
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
      {
        file: 'operator/decide/run.ts',
        find: "if (train.state.at !== 'absent' || preflight === undefined) return train;",
        replace: 'if (train.job === undefined) return train;',
      },
    ],
    plans: ['child-deleted-after-end/delay/event-of-finetunejobs-Succeeded-Succeeded.1'],
    telling: /a Job was made after the end/,
  },
  {
    name: 'a Job is made again without a look at whether its job is still there',
    patches: [notReadAnew],
    plans: ['delete-midway/delay/event-of-finetunejobs-deleted.1'],
    telling: /CREATE Job spam#1 run 1 train: \d+ instead of 1/,
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
    telling: /was said before there was a|said to be on hold and is not/,
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
    telling: /not within .*: run 1 has ended/,
  },
];
