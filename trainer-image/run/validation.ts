import type { EncodedSplit } from '../data/encoded.ts';
import { evaluate } from '../evaluate.ts';
import { metricsOfModel } from '../report/report.ts';
import type { Evaluated } from '../tasks/task.ts';
import { afterEvaluation, bestMetric } from './early-stopping.ts';
import { plateauAfter } from './learning-rate.ts';
import { refuseNonFinite } from './non-finite.ts';
import type { Run } from './run.ts';

/** Evaluates on the validation split every n steps, by default once an epoch, and after the last step. */
export function validateIfDue(run: Run): void {
  const { context, checkpoints, state, progress, inputs } = run;
  const { config } = context;
  const { task, labels, splits } = inputs.dataset;
  const { validation } = splits;
  const every = config.evaluation.everySteps ?? run.stepsPerEpoch;
  const due = state.step > 0 && (state.step % every === 0 || state.step === run.totalSteps);
  if (validation === undefined || !due || state.validation.at(-1)?.step === state.step) return;
  const started = performance.now();
  const evaluated = evaluateOn(run, validation);
  const scores = task.scores({ evaluated, split: validation, labels });
  const point = { step: state.step, ...metricsOfModel(task.kind, scores) };
  state.validation.push(point);
  const metric = bestMetric(config);
  const minDelta = config.training.earlyStopping?.minDelta ?? 0;
  const value = point[metric] as number;
  state.best = afterEvaluation(state.best, { step: state.step, value }, { metric, minDelta });
  if (state.best.step === state.step) checkpoints.keepBest();
  state.plateau = plateauAfter(config, state, value);
  context.log.info('evaluated', { ...point, best: state.best });
  progress.afterValidation((performance.now() - started) / 1000);
}

/** The model as it is now on a split. Throws TrainerError where its loss is no finite number. */
export function evaluateOn(
  { context, model, inputs, state, checkpoints }: Run,
  split: EncodedSplit,
): Evaluated {
  const evaluated = evaluate(model, split, {
    task: inputs.dataset.task,
    labels: inputs.dataset.labels,
    ...context.config.training,
    stopRequested: context.stopRequested,
  });
  refuseNonFinite({ evalLoss: evaluated.loss, step: state.step }, checkpoints.records());
  return evaluated;
}
