/** What bounds a run without changing what it computes: retries, deadlines, budget, time to live. */
import * as z from 'zod';
import { decimal, withRules } from './fields.ts';

const amount = (description: string) => decimal(description, { above: 0, atMost: 1e9 });

const budget = withRules(
  z
    .strictObject({
      maxGpuHours: amount(
        'Largest number of accelerator hours: accelerators times the time that trainers run.',
      ).optional(),
      maxCost: amount(
        'Largest cost, in the currency of the FineTuneRuntime, which has to name a price.',
      ).optional(),
    })
    .describe(
      'What the run may use, over all attempts. The trainer saves a checkpoint and stops before it is exceeded; with a larger budget the run goes on.',
    ),
  [
    {
      rule: 'has(self.maxGpuHours) || has(self.maxCost)',
      message: 'set maxGpuHours, maxCost or both',
    },
  ],
);

export const limits = {
  retry: z
    .strictObject({
      limit: z
        .int32()
        .min(0)
        .max(20)
        .default(3)
        .describe(
          'Retries after failures that may pass, such as a lost connection, of each batch Job of the run. Preemption and node loss do not count. A Job that is made again (somebody deleted it, the trainer ran out of memory, a run in a queue was held and goes on) has all of them again.',
        ),
      outOfMemoryLimit: z
        .int32()
        .min(0)
        .max(10)
        .default(3)
        .describe(
          'Retries after the trainer ran out of memory, each with half of training.batchSize and so many more gradientAccumulationSteps that a step learns from the same rows.',
        ),
    })
    .prefault({})
    .describe('What happens after a failure that is not the fault of the job.'),
  activeDeadlineSeconds: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Longest time that trainers may run, over all attempts, in seconds. Waiting, queueing and suspension do not count. When it is over, the trainer saves a checkpoint and the run fails with DeadlineExceeded.',
    ),
  pendingDeadlineSeconds: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Longest time that the run may wait at a time before a pod starts, in seconds: for a runtime, a queue, a node, a volume or an image. Suspension does not count. When it is over, the run fails with PendingDeadlineExceeded and says what it waited for.',
    ),
  budget: budget.optional(),
  ttlSecondsAfterFinished: z
    .int32()
    .min(0)
    .optional()
    .describe(
      'The job object and all it made in the cluster are deleted so many seconds after the status shows its end; model, checkpoints and report stay. Without it the job is kept. Leave it out where a GitOps tool would make the job again.',
    ),
};
