import manifest from '../../package.json' with { type: 'json' };
import { dataReport } from '../data/report.ts';
import type { Evaluated } from '../evaluate.ts';
import { bootstrapGain } from '../metrics/bootstrap.ts';
import { type ConfidentError, type EvaluatedModel, type Report, verdictSentence } from '../report/report.ts';
import { type Scored, scorePredictions } from '../tasks/sequence-classification.ts';
import { bestMetric } from './early-stopping.ts';
import { gateFailures } from './gate.ts';
import type { Run } from './run.ts';

/** Everything that is known about a run, with the verdict of comparison and gate. */
export function buildReport(run: Run, final: Evaluated, confidentErrors: ConfidentError[]): Report {
  const { context, state, inputs, device, model } = run;
  const { config } = context;
  const { dataset } = inputs;
  const { baseline, gain } = comparison(run, final);
  const reasons = gateFailures(config.gate, final.scores, baseline);
  const measured = {
    final: evaluatedModel(final.scores),
    ...(baseline && { baseline: evaluatedModel(baseline) }),
    ...(gain && { gain }),
  };
  return {
    createdAt: new Date().toISOString(),
    verdict: {
      outcome: reasons.length === 0 ? 'Succeeded' : 'Rejected',
      sentence: verdictSentence(measured),
      reasons,
    },
    config,
    versions: { trainer: manifest.version, node: process.versions.node, tensorflow: device.tensorflow },
    device: device.name,
    ...(device.warning !== undefined && { deviceWarning: device.warning }),
    labels: dataset.labels,
    model: {
      uri: config.model.uri,
      digest: inputs.modelDigest,
      modelType: inputs.modelType,
      parameters: model.parameterCount,
      newlyInitialized: [...model.newlyInitialized],
      unusedKeys: [...model.unusedKeys],
    },
    data: dataReport(dataset),
    training: trainingOf(run),
    stepLosses: state.steps.map(({ loss }) => loss),
    learningRates: state.steps.map(({ learningRate }) => learningRate),
    validation: state.validation,
    ...measured,
    confidentErrors,
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

/** The base model's scores, and the gain with its interval in the metric of the gate (accuracy without one). */
function comparison({ context, state, inputs }: Run, final: Evaluated) {
  if (state.baseline === undefined) return {};
  const { labels, splits } = inputs.dataset;
  const actual = splits.test.labels;
  const classes = labels.length;
  const baseline = scorePredictions(actual, state.baseline, classes);
  const gain = bootstrapGain(context.config.gate?.metric ?? 'accuracy', {
    actual,
    base: state.baseline.predicted,
    tuned: final.predicted,
    classes,
    seed: context.config.training.seed,
  });
  return { baseline, gain };
}

function evaluatedModel({
  rows,
  loss,
  accuracy,
  f1,
  weightedF1,
  confusion,
  classes,
}: Scored): EvaluatedModel {
  return { rows, loss, accuracy, f1, weightedF1, confusion, classes };
}
