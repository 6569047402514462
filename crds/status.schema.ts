/** status of a FineTuneJob: phase for people, conditions for machines, everything bounded (below 16 KB). */
import * as z from 'zod';
import { conditionTypes } from './conditions.ts';
import { evaluation } from './evaluation-status.schema.ts';
import { count, digest, statusDecimal, text, timestamp } from './fields.ts';
import { maxListedLabels } from './trainer-contract.ts';

/** What the operator writes of lists at most, in bytes of JSON, so that the whole stays below 16 KB. */
export const maxListBytes = {
  labels: 450,
  warnings: 900,
  history: 2600,
  slices: 1000,
  checkpoints: 1500,
} as const;

/** More pods of one run in a second than a cluster makes. */
export const maxSameSecond = 4;

export const jobPhases = [
  'Pending',
  'Preflight',
  'Queued',
  'Training',
  'Suspended',
  'Stopping',
  'Validated',
  'Succeeded',
  'Rejected',
  'Failed',
  'Cancelled',
] as const;

/** Phases of a run that is over. */
export const jobEnds: readonly JobPhase[] = ['Validated', 'Succeeded', 'Rejected', 'Failed', 'Cancelled'];

const condition = z.strictObject({
  type: z.enum(conditionTypes).describe('Type of the condition.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  observedGeneration: count('metadata.generation that the condition was computed from.'),
  lastTransitionTime: timestamp('When status last changed.'),
  reason: text(128, 'One word for machines.'),
  message: text(1024, 'A sentence for people.'),
});

const progress = z
  .strictObject({
    phase: text(32, 'What the trainer is doing.'),
    step: count('Optimiser steps done.'),
    totalSteps: count('Optimiser steps planned.'),
    epoch: statusDecimal('Epochs done.'),
    percent: z.int32().min(0).max(100).describe('Part of the planned steps done, in percent.'),
    done: text(4, 'The same for people, for example 42%.').optional(),
    trainLoss: statusDecimal('Training loss, mean of the last steps.').optional(),
    evalLoss: statusDecimal('Loss on the validation split.').optional(),
    learningRate: statusDecimal('Learning rate of the last step.').optional(),
    tokensPerSecond: statusDecimal('Tokens trained per second, padding not counted.').optional(),
    etaSeconds: count('Estimated time to the end, in seconds.').optional(),
    eta: text(16, 'The same for people, for example 4m10s.').optional(),
    updatedAt: timestamp('When the trainer was last asked.'),
  })
  .describe('Live progress of the trainer.');

const historyPoint = z.strictObject({
  step: count('Optimiser step.'),
  trainLoss: statusDecimal('Training loss.').optional(),
  evalLoss: statusDecimal('Loss on the validation split.').optional(),
});

const splitReport = z.strictObject({
  rows: count('Rows read.'),
  digest: digest('SHA-256 over the content of the rows used.'),
  truncatedRows: count('Rows longer than maxLength.'),
  duplicateRows: count('Rows whose text was seen before in the same split.'),
  lostWords: count(
    'Words with a tag that no token stands for: beyond maxLength or unknown to the tokenizer. They are neither trained nor measured.',
  ).optional(),
  nearDuplicateRows: count('Rows that differ in a few words from an earlier one of the same split.'),
  labels: z
    .array(z.strictObject({ label: text(128, 'Label.'), rows: count('Rows, or words, with this label.') }))
    .max(maxListedLabels)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe(`Rows, or words, by label, most frequent first, at most ${maxListedLabels}.`),
});

const preflight = z
  .strictObject({
    splits: z
      .strictObject({
        train: splitReport.describe('Split to train on.'),
        validation: splitReport.optional().describe('Split for evaluation during training.'),
        test: splitReport.describe('Split for the final comparison.'),
      })
      .describe('What was found in each split.'),
    labels: count('Number of labels.'),
    tokens: z
      .strictObject({ median: count('Median.'), p95: count('95th percentile.'), max: count('Longest.') })
      .describe('Length of the training texts in tokens, before truncation.'),
    leakedRows: count('Test rows whose text is also in the train split.'),
    nearLeakedRows: count('Test rows that differ in a few words from a row of the train split.'),
    conflictingRows: count('Train rows whose text also occurs with another label.'),
    unknownTokenShare: statusDecimal(
      'Part of the tokens of the train split that the vocabulary of the model does not know.',
    ),
    lengthRuleAccuracy: statusDecimal(
      'Part of the train rows that the best rule "shorter than n tokens: one label, else another" puts right; absent where rows have no label of their own.',
    ).optional(),
    totalSteps: count('Optimiser steps planned.'),
    memoryEstimateBytes: count(
      'Estimated peak memory of the trainer in float32 on a CPU; fitted to measured runs of BERT models.',
    ),
    diskEstimateBytes: count(
      'Room that the trainer needs on the work volume of its pod: a model from a bucket, data, encoded rows, best weights and a checkpoint.',
    ),
    modelType: text(64, 'model_type of the base model.'),
    parameters: count('Parameters of the base model.'),
    modelDigest: digest(
      'SHA-256 over the files of the base model; of the weights 16 pieces spread over the file, not every byte.',
    ),
    warnings: z
      .array(text(256, 'A sentence.'))
      .max(12)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .describe('What a person should look at before trusting the result.'),
  })
  .describe('What preflight found: the data is checked before an accelerator is requested.');

export const fineTuneJobStatus = z
  .strictObject({
    observedGeneration: count('metadata.generation that this status was computed from.').optional(),
    phase: z
      .enum(jobPhases)
      .optional()
      .describe('Where the job stands, for people. Programs read the conditions.'),
    runId: text(32, 'Run that this status describes.').optional(),
    conditions: z
      .array(condition)
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
      .optional()
      .describe('Conditions for machines; kubectl wait and GitOps tools read them.'),
    startTime: timestamp('When the run was first seen.').optional(),
    completionTime: timestamp('When the run ended.').optional(),
    waitingSince: timestamp(
      'Since when the run waits for a pod to start; absent while it does not.',
    ).optional(),
    restartingSince: timestamp(
      'Since when the next pod of the stage is to be started, the last one having ended; absent while it is not.',
    ).optional(),
    preflight: preflight.optional(),
    device: text(64, 'Device that the trainer used, for example GPU or CPU.').optional(),
    progress: progress.optional(),
    history: z
      .array(historyPoint)
      .max(50)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('Loss over the run, thinned to at most 50 points.'),
    evaluation: evaluation.optional(),
    checkpoints: z
      .array(
        z.strictObject({
          step: count('Optimiser step.'),
          time: timestamp('When it was complete.'),
          uri: text(1024, 'Where it is.'),
          digest: digest('SHA-256 of its manifest.'),
          metric: z
            .strictObject({
              name: text(32, 'Metric that tells which weights are the best.'),
              value: statusDecimal('Its value on the validation split, last evaluated before.'),
            })
            .optional()
            .describe('How good the model was.'),
        }),
      )
      .max(20)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('Complete checkpoints, newest first.'),
    resumedFromStep: count('Step of the checkpoint that the current attempt started from.').optional(),
    microBatch: z
      .strictObject({
        batchSize: count('Rows that are computed at a time.'),
        gradientAccumulationSteps: count('Batches in a step.'),
        retries: count('Times that the batches were made smaller.'),
        jobUID: text(64, 'UID of the train Job that ran out of memory last.'),
      })
      .optional()
      .describe('What the trainer uses instead of spec.training since it ran out of memory.'),
    attempt: z
      .strictObject({
        number: count('1 for the first pod.'),
        podName: text(253, 'Pod.'),
        podUID: text(64, 'UID of the pod.'),
        nodeName: text(253, 'Node, once scheduled.').optional(),
        startTime: timestamp('When the pod was created.').optional(),
        sameSecond: z
          .array(text(64, 'UID of a pod.'))
          .max(maxSameSecond)
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('Pods of earlier attempts that were created in the same second.'),
        activeSeconds: count('Time that its container ran, in seconds.').optional(),
        graceSeconds: count(
          'Time that it has to save a checkpoint when it is stopped, in seconds.',
        ).optional(),
        previousStep: count('Last known optimiser step of the attempts before.').optional(),
        lostSteps: count('Steps of the attempts before that this one has to do again.').optional(),
      })
      .optional()
      .describe('The pod that trains now, or trained last.'),
    failure: z
      .strictObject({
        category: text(64, 'One word; the list is in the documentation.'),
        exitCode: z.int32().optional().describe('Exit code of the container.'),
        attempt: count('Attempt that failed.').optional(),
        node: text(253, 'Node.').optional(),
        step: count('Last known optimiser step.').optional(),
        message: text(2048, 'What happened, and where.'),
        hint: text(1024, 'What to do.'),
        logTail: text(2048, 'Last lines of the log, where the trainer could not say more.').optional(),
      })
      .optional()
      .describe('Why the run failed, or what it waits for.'),
    usage: z
      .strictObject({
        attempts: count('Pods started for training.'),
        activeSeconds: count(
          'Time that the containers of trainers ran, over all attempts, in seconds. Written with the progress and at the end of an attempt.',
        ).optional(),
        gpuSeconds: count('activeSeconds times accelerators.').optional(),
        pricePerHour: statusDecimal('Price of an accelerator hour when the run started.').optional(),
        cost: statusDecimal('gpuSeconds at that price.').optional(),
        currency: text(16, 'What price and cost are in.').optional(),
        budgetPercent: count('Part of spec.budget that is used, in percent.').optional(),
        trainSeconds: count('Time in optimiser steps, over all attempts, in seconds.').optional(),
        trainedTokens: count('Tokens trained, padding not counted.').optional(),
        lostSteps: count(
          'Steps done again because an attempt ended after its last checkpoint, over all attempts.',
        ).optional(),
      })
      .optional()
      .describe('What the run used.'),
    result: z
      .strictObject({
        uri: text(1024, 'Where the model is.'),
        digest: digest('SHA-256 of model.safetensors.'),
        format: text(64, 'Layout of the files.'),
        bytes: count('Size of all files of the model.'),
        reportUri: text(1024, 'Where the report is.'),
      })
      .optional()
      .describe('The published model.'),
  })
  // One writer, so one entry in managedFields in place of one for each field, which would be a third of the object.
  .meta({ 'x-kubernetes-map-type': 'atomic' })
  .describe('What was observed. Written by the operator alone.');

export type FineTuneJobStatus = z.infer<typeof fineTuneJobStatus>;
export type Condition = z.infer<typeof condition>;
export type JobPhase = (typeof jobPhases)[number];
