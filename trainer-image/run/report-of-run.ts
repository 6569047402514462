import { comparedBy } from '../../crds/tasks.ts';
import type { Overfitting } from '../../crds/trainer-contract.ts';
import manifest from '../../package.json' with { type: 'json' };
import { dataReport } from '../data/report.ts';
import { bootstrapGain } from '../metrics/bootstrap.ts';
import { sliceScores } from '../metrics/slices.ts';
import { labelsOfHead } from '../model/config-labels.ts';
import { type Report, verdictSentence, type WorstError } from '../report/report.ts';
import type { Evaluated } from '../tasks/task.ts';
import { bestMetric } from './early-stopping.ts';
import { gateFailures } from './gate.ts';
import { meanLoss } from './history.ts';
import type { Run } from './run.ts';

/** The training loss that is compared with the validation loss is the mean of so many steps: single batches jump. */
const lossesOfMean = 10;

/** Everything that is known about a run, with the verdict of comparison and gate. */
export function buildReport(run: Run, final: Evaluated, worstErrors: WorstError[]): Report {
  const { context, state, inputs, device, model } = run;
  const { config } = context;
  const { dataset } = inputs;
  const { baseline, gain, slices } = comparison(run, final);
  const { task, labels, splits } = dataset;
  const scores = task.scores({ evaluated: final, split: splits.test, labels });
  const reasons = gateFailures(config.gate, { final: scores, baseline, slices });
  const measured = { final: scores, ...(baseline && { baseline }), ...(gain && { gain }) };
  return {
    createdAt: new Date().toISOString(),
    verdict: {
      outcome: reasons.length === 0 ? 'Succeeded' : 'Rejected',
      sentence: verdictSentence(measured, task.kind),
      reasons,
    },
    config,
    versions: { trainer: manifest.version, node: process.versions.node, tensorflow: device.tensorflow },
    device: device.name,
    ...(device.warning !== undefined && { deviceWarning: device.warning }),
    labels,
    model: {
      uri: config.model.uri,
      digest: inputs.modelDigest,
      modelType: inputs.modelType,
      parameters: model.parameterCount,
      newlyInitialized: [...model.newlyInitialized],
      unusedKeys: [...model.unusedKeys],
    },
    data: dataReport(
      { ...dataset, splits: dataset.texts },
      labelsOfHead(model.config, model.newlyInitialized),
    ),
    training: trainingOf(run),
    stepLosses: state.steps.map(({ loss }) => loss),
    learningRates: state.steps.map(({ learningRate }) => learningRate),
    validation: state.validation,
    ...overfittingOf(run),
    ...measured,
    slices,
    worstErrors,
    timings: context.timings(),
  };
}

function trainingOf({ context, state, ...run }: Run): Report['training'] {
  const { step, value } = state.best;
  return {
    steps: state.step,
    totalSteps: run.totalSteps,
    stepsPerEpoch: run.stepsPerEpoch,
    stoppedEarly: state.step < run.totalSteps,
    ...(step !== undefined &&
      value !== undefined && { best: { step, metric: bestMetric(context.config), value } }),
    trainSeconds: state.trainSeconds,
    trainedTokens: state.trainedTokens,
    ...(run.checkpoints.resumedFromStep !== undefined && {
      resumedFromStep: run.checkpoints.resumedFromStep,
    }),
  };
}

/** Training and validation loss at the end; nothing without a validation split. */
function overfittingOf({ state, totalSteps }: Run): { overfitting?: Overfitting } {
  const { steps, validation, best } = state;
  const last = validation.at(-1);
  if (last === undefined || best.step === undefined) return {};
  const lowest = validation.reduce((a, b) => (b.loss < a.loss ? b : a));
  const overfitting = {
    trainLoss: meanLoss(steps.slice(-lossesOfMean)),
    evalLoss: last.loss,
    lowestEvalLoss: lowest.loss,
    lowestStep: lowest.step,
    bestStep: best.step,
    stoppedEarly: state.step < totalSteps,
  };
  return { overfitting };
}

/**
 * The base model's scores, the gain with its interval, and both models on each slice, in the metric of the gate, else the
 * main one of the task.
 */
function comparison({ context, state, inputs }: Run, final: Evaluated) {
  const { config } = context;
  const { task, labels, splits, slices } = inputs.dataset;
  const of = (evaluated: Evaluated) => ({ evaluated, split: splits.test, labels });
  const metric = comparedBy(config);
  const { seed } = config.training;
  const base = state.baseline && task.scorer(of(state.baseline), metric);
  const tuned = task.scorer(of(final), metric);
  const scored = slices.map((sliced) => sliceScores(sliced, { metric, base, tuned, seed }));
  if (state.baseline === undefined || base === undefined) return { slices: scored };
  const gain = bootstrapGain(metric, { base, tuned, rows: splits.test.texts, seed });
  return { baseline: task.scores(of(state.baseline)), gain, slices: scored };
}
