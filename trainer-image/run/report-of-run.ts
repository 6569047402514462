import { mainMetric } from '../../crds/tasks.ts';
import manifest from '../../package.json' with { type: 'json' };
import { dataReport } from '../data/report.ts';
import { bootstrapGain } from '../metrics/bootstrap.ts';
import { type ConfidentError, type Report, verdictSentence } from '../report/report.ts';
import type { Evaluated } from '../tasks/task.ts';
import { bestMetric } from './early-stopping.ts';
import { gateFailures } from './gate.ts';
import type { Run } from './run.ts';

/** Everything that is known about a run, with the verdict of comparison and gate. */
export function buildReport(run: Run, final: Evaluated, confidentErrors: ConfidentError[]): Report {
  const { context, state, inputs, device, model } = run;
  const { config } = context;
  const { dataset } = inputs;
  const { baseline, gain } = comparison(run, final);
  const { task, labels, splits } = dataset;
  const scores = task.scores({ evaluated: final, split: splits.test, labels });
  const reasons = gateFailures(config.gate, scores, baseline);
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
    data: dataReport({ ...dataset, splits: dataset.texts }),
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

/** The base model's scores, and the gain with its interval in the metric of the gate, else the main one of the task. */
function comparison({ context, state, inputs }: Run, final: Evaluated) {
  if (state.baseline === undefined) return {};
  const { task, labels, splits } = inputs.dataset;
  const of = (evaluated: Evaluated) => ({ evaluated, split: splits.test, labels });
  const metric = context.config.gate?.metric ?? mainMetric(task.kind);
  const gain = bootstrapGain(metric, {
    base: task.scorer(of(state.baseline), metric),
    tuned: task.scorer(of(final), metric),
    rows: splits.test.texts,
    seed: context.config.training.seed,
  });
  return { baseline: task.scores(of(state.baseline)), gain };
}
