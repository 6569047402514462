/**
 * The recipe, from the run config to the published model:
 * inputs -> resume -> base model on the test split -> training -> best weights -> test split -> gate -> report and model.
 */
import { type Batch, tokensIn } from './data/batch.ts';
import { withMemoryCategory } from './failure-outcome.ts';
import type { Outcome, OutcomeOf } from './messages.ts';
import { metricsOfModel } from './report/report.ts';
import { type Context, StopRequested } from './run/context.ts';
import { openDevice } from './run/device.ts';
import { patienceIsOver } from './run/early-stopping.ts';
import { type FinishedOutcome, finishedOutcome, markFinished } from './run/finished.ts';
import { openInputs } from './run/inputs.ts';
import { learningRateOf } from './run/learning-rate.ts';
import { openModel } from './run/model.ts';
import { refuseNonFinite } from './run/non-finite.ts';
import { publish } from './run/publish.ts';
import { openRun, type Run } from './run/run.ts';
import { comparedFigures } from './run/state.ts';
import { stepsFrom } from './run/steps.ts';
import { evaluateOn, validateIfDue } from './run/validation.ts';
import { openSource } from './sources/open.ts';

/** Runs or goes on with a run. Throws TrainerError with the category of what ended it; SIGTERM gives the outcome Interrupted. */
export async function train(context: Context): Promise<Outcome> {
  const { config } = context;
  const output = await openSource(config.output);
  const earlier = await finishedOutcome(context, output);
  if (earlier !== undefined) return earlier;

  const device = openDevice(context);
  context.report({ device: device.name });
  const inputs = await openInputs(context);
  const model = await openModel(config, { device, inputs });
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

/**
 * The loop. A checkpoint is taken between two steps, so everything before the next step can be repeated exactly. A step of
 * many micro-batches may take longer than a pod has to stop, so it is given up between two of them: `state` and the model
 * change only with a whole step.
 */
async function trainToTheEnd(run: Run): Promise<void> {
  const { context, checkpoints, model, state, progress } = run;
  const { config } = context;
  const steps = stepsFrom(run);
  const stopIfRequested = () => {
    if (context.stopRequested()) throw new StopRequested();
  };
  progress.start();
  for (;;) {
    validateIfDue(run);
    if (state.step >= run.totalSteps || patienceIsOver(state.best, config)) break;
    if (state.step % config.checkpoints.everySteps === 0) await checkpoints.save(state);
    stopIfRequested();

    const microBatches = steps.next().value as Batch[];
    const learningRate = learningRateOf(config, state, run.totalSteps);
    const started = performance.now();
    const at = { step: state.step, learningRate };
    const { loss, gradientNorm } = model.trainStep(microBatches, at, stopIfRequested);
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
