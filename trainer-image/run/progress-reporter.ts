import type { Context } from './context.ts';
import { meanLoss, thinHistory } from './history.ts';
import type { RunState } from './state.ts';

/** More messages than this would only cost time; nobody polls faster. */
const reportEveryMs = 250;
const logEveryMs = 10_000;
/** The loss that is shown is the mean of so many steps: single batches jump. */
const meanOfSteps = 10;
const speedOfSteps = 20;

/** Tells the main thread how far training is: often enough to be live, never on every step. */
export class ProgressReporter {
  readonly #context: Context;
  readonly #state: RunState;
  readonly #totalSteps: number;
  readonly #stepsPerEpoch: number;
  #lastReport = 0;
  #lastLog = 0;
  #stepSeconds: number[] = [];
  #validationSeconds = 0;

  constructor(context: Context, state: RunState, plan: { totalSteps: number; stepsPerEpoch: number }) {
    this.#context = context;
    this.#state = state;
    this.#totalSteps = plan.totalSteps;
    this.#stepsPerEpoch = plan.stepsPerEpoch;
    this.#report({});
  }

  start(): void {
    this.#context.report({ phase: 'Training' });
    const { step } = this.#state;
    this.#context.log.info('training', { fromStep: step, totalSteps: this.#totalSteps });
  }

  afterStep(seconds: number): void {
    this.#stepSeconds.push(seconds);
    if (this.#stepSeconds.length > speedOfSteps) this.#stepSeconds.shift();
    const now = performance.now();
    if (now - this.#lastReport < reportEveryMs) return;
    this.#lastReport = now;
    this.#report(this.#speed());
    if (now - this.#lastLog < logEveryMs) return;
    this.#lastLog = now;
    const { step } = this.#state;
    const loss = meanLoss(this.#state.steps.slice(-meanOfSteps));
    this.#context.log.info('step', { step, totalSteps: this.#totalSteps, loss, ...this.#speed() });
  }

  afterValidation(seconds: number): void {
    this.#validationSeconds = seconds;
    this.#report(this.#speed());
  }

  finish(): void {
    this.#report({ etaSeconds: 0 });
  }

  /** Tokens a second over the last steps, and the time that the rest takes at that speed. */
  #speed(): { tokensPerSecond?: number; etaSeconds?: number } {
    const { steps, step } = this.#state;
    const count = this.#stepSeconds.length;
    if (count === 0) return {};
    const seconds = this.#stepSeconds.reduce((sum, one) => sum + one, 0);
    const tokens = steps.slice(-count).reduce((sum, one) => sum + one.tokens, 0);
    const every = this.#context.config.evaluation.everySteps ?? this.#stepsPerEpoch;
    const left = this.#totalSteps - step;
    const validations = Math.ceil(left / every) * this.#validationSeconds;
    return {
      tokensPerSecond: tokens / seconds,
      etaSeconds: Math.round((left * seconds) / count + validations),
    };
  }

  #report(speed: { tokensPerSecond?: number; etaSeconds?: number }): void {
    const { step, steps, validation, trainSeconds, trainedTokens } = this.#state;
    const last = steps.at(-1);
    const evalLoss = validation.at(-1)?.loss;
    this.#context.report({
      step,
      totalSteps: this.#totalSteps,
      epoch: Number((step / this.#stepsPerEpoch).toFixed(3)),
      trainSeconds,
      trainedTokens,
      history: thinHistory({ steps, evaluations: validation }),
      ...(last && {
        trainLoss: meanLoss(steps.slice(-meanOfSteps)),
        learningRate: last.learningRate,
        gradientNorm: last.gradientNorm,
      }),
      ...(evalLoss !== undefined && { evalLoss }),
      ...speed,
    });
  }
}
