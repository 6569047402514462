/**
 * The recipe, from the run config to the published model:
 * inputs -> resume -> base model on the test split -> training -> best weights -> test split -> gate -> report and model.
 */
import { type Batch, tokensIn } from './data/batch.ts';
import { stepsPerEpoch, totalSteps, trainSteps } from './data/batches.ts';
import type { EncodedSplit } from './data/encoded.ts';
import { evaluate } from './evaluate.ts';
import { withMemoryCategory } from './failure-outcome.ts';
import type { Outcome, OutcomeOf } from './messages.ts';
import { openTrainableModel } from './model/trainable-model.ts';
import { optimizerOf } from './optim/optimizer-of.ts';
import { metricsOfModel } from './report/report.ts';
import { CheckpointStore } from './run/checkpoint-store.ts';
import { Checkpoints } from './run/checkpoints.ts';
import { type Context, StopRequested } from './run/context.ts';
import { openDevice } from './run/device.ts';
import { afterEvaluation, bestMetric, patienceIsOver } from './run/early-stopping.ts';
import { type FinishedOutcome, finishedOutcome, markFinished } from './run/finished.ts';
import { openInputs } from './run/inputs.ts';
import { learningRateOf, plateauAfter } from './run/learning-rate.ts';
import { refuseNonFinite } from './run/non-finite.ts';
import { ProgressReporter } from './run/progress-reporter.ts';
import { publish } from './run/publish.ts';
import type { Run } from './run/run.ts';
import { comparedFigures, configHash, newState } from './run/state.ts';
import { openSource } from './sources/open.ts';
import { balancedWeights } from './tasks/class-weights.ts';
import type { Evaluated } from './tasks/task.ts';

export async function train(context: Context): Promise<Outcome> {
  const { config } = context;
  const output = await openSource(config.output);
  const earlier = await finishedOutcome(context, output);
  if (earlier !== undefined) return earlier;

  const device = openDevice(context);
  context.report({ device: device.name });
  const inputs = await openInputs(context);
  const { labels, task } = inputs.dataset;
  const { seed, dropout } = config.training;
  const model = await openTrainableModel({
    binding: device.binding,
    task,
    modelDirectory: inputs.modelDirectory,
    labels,
    seed,
    dropout,
    loss: {
      focalGamma: config.training.focalLossGamma,
      ...(config.training.classWeights && {
        classWeights: balancedWeights(inputs.dataset.splits.train, labels.length),
      }),
    },
    packed: config.training.packing === 'BestFitDecreasing',
    update: { ...config.training, optimizer: optimizerOf(config.training) },
  });
  try {
    const run = await openRun(context, { device, inputs, model, output });
    const outcome = await trainAndPublish(run);
    if (outcome.outcome !== 'Interrupted') await markFinished(context, output, outcome);
    return outcome;
  } catch (error) {
    throw withMemoryCategory(error, device.name === 'GPU', config.training.batchSize);
  } finally {
    model.close();
  }
}

/** Goes back to where an earlier attempt stopped, if there was one. */
async function openRun(
  context: Context,
  parts: Pick<Run, 'device' | 'inputs' | 'model' | 'output'>,
): Promise<Run> {
  const { config, log } = context;
  const { dataset, modelDigest } = parts.inputs;
  const { train, validation, test } = dataset.splits;
  const digests = [modelDigest, train.digest, validation?.digest ?? '', test.digest];
  const store = await CheckpointStore.open({
    output: parts.output,
    runId: config.job.runId,
    configHash: configHash(config, digests),
    keep: config.checkpoints.keep,
    log,
  });
  const checkpoints = new Checkpoints(context, store, parts.model);
  const state = (await checkpoints.resume()) ?? newState();
  const steps = totalSteps(train, config.training);
  const perEpoch = stepsPerEpoch(train, config.training);
  const progress = new ProgressReporter(context, state, { totalSteps: steps, stepsPerEpoch: perEpoch });
  return { context, ...parts, checkpoints, state, progress, totalSteps: steps, stepsPerEpoch: perEpoch };
}

async function trainAndPublish(run: Run): Promise<FinishedOutcome | OutcomeOf<'Interrupted'>> {
  const { context, checkpoints, state } = run;
  const { task, labels, splits } = run.inputs.dataset;
  const { test, validation } = splits;
  let trained = false;
  try {
    if (context.config.evaluation.baseline && state.baseline === undefined) {
      context.report({ phase: 'EvaluatingBase' });
      const evaluated = evaluateOn(run, test);
      state.baseline = comparedFigures(evaluated, task);
      const scores = task.scores({ evaluated, split: test, labels });
      context.report({ baseline: metricsOfModel(task.kind, scores) });
    }
    await trainToTheEnd(run);
    trained = true;
    await checkpoints.save(state);
    if (validation !== undefined) checkpoints.restoreBest();
    context.report({ phase: 'Evaluating' });
    const final = evaluateOn(run, test);
    context.report({ phase: 'Exporting' });
    return await publish(run, final);
  } catch (error) {
    if (!(error instanceof StopRequested)) throw error;
    // Afterwards the model holds the best weights, no longer those of the last step; that checkpoint is written.
    if (!trained) await checkpoints.save(state);
    context.log.warn('run interrupted', { step: state.step });
    const { step, trainSeconds, trainedTokens } = state;
    return { outcome: 'Interrupted', step, checkpoints: checkpoints.records(), trainSeconds, trainedTokens };
  }
}

/** The loop. A checkpoint is taken between two steps, so everything before the next step can be repeated exactly. */
async function trainToTheEnd(run: Run): Promise<void> {
  const { context, checkpoints, model, state, progress } = run;
  const { config } = context;
  const steps = stepsFrom(run);
  progress.start();
  for (;;) {
    validateIfDue(run);
    if (state.step >= run.totalSteps || patienceIsOver(state.best, config)) break;
    if (state.step % config.checkpoints.everySteps === 0) await checkpoints.save(state);
    if (context.stopRequested()) throw new StopRequested();

    const microBatches = steps.next().value as Batch[];
    const learningRate = learningRateOf(config, state, run.totalSteps);
    const started = performance.now();
    const { loss, gradientNorm } = model.trainStep(microBatches, { step: state.step, learningRate });
    refuseNonFinite({ loss, gradientNorm, learningRate, step: state.step + 1 }, checkpoints.records());
    const tokens = microBatches.reduce((sum, batch) => sum + tokensIn(batch), 0);
    const seconds = (performance.now() - started) / 1000;
    state.step++;
    state.steps.push({ loss, learningRate, gradientNorm, tokens, time: Date.now() });
    state.trainSeconds += seconds;
    state.trainedTokens += tokens;
    progress.afterStep(seconds);
  }
  progress.finish();
}

/** Evaluates on the validation split every n steps, by default once an epoch, and after the last step. */
function validateIfDue(run: Run): void {
  const { context, checkpoints, state, progress, inputs } = run;
  const { config } = context;
  const { task, labels, splits } = inputs.dataset;
  const { validation } = splits;
  const every = config.evaluation.everySteps ?? run.stepsPerEpoch;
  const due = state.step > 0 && (state.step % every === 0 || state.step === run.totalSteps);
  if (validation === undefined || !due || state.validation.at(-1)?.step === state.step) return;
  const started = performance.now();
  const evaluated = evaluateOn(run, validation);
  refuseNonFinite({ evalLoss: evaluated.loss, step: state.step }, checkpoints.records());
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

function evaluateOn({ context, model, inputs }: Run, split: EncodedSplit): Evaluated {
  return evaluate(model, split, {
    task: inputs.dataset.task,
    labels: inputs.dataset.labels,
    ...context.config.training,
    stopRequested: context.stopRequested,
  });
}

/** The micro-batches of each step from the current one on, epoch after epoch without end. */
function* stepsFrom({ context, inputs, state, stepsPerEpoch }: Run): Generator<Batch[]> {
  const { training } = context.config;
  const { task, splits } = inputs.dataset;
  let skip = state.step % stepsPerEpoch;
  for (let epoch = Math.floor(state.step / stepsPerEpoch); ; epoch++) {
    yield* trainSteps(splits.train, { ...training, epoch, skip }, task.collate);
    skip = 0;
  }
}
