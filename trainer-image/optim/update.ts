/** The part of a graph that learns: gradients, their sum over micro-batches, clipping, and the update of the weights. */
import { unstack } from '../graph/array-ops.ts';
import { gradients } from '../graph/gradients.ts';
import type { Gradient, Graph, Tensor } from '../graph/graph.ts';
import { identity, maximum, placeholder, scalar } from '../graph/ops.ts';
import type { Feed, Session } from '../graph/session.ts';
import { type Variable, variable, zeroVariables } from '../graph/variables.ts';
import { type Accumulation, accumulate } from './accumulation.ts';
import { clipByGlobalNorm } from './clipping.ts';
import { frozenWeights } from './freezing.ts';
import { learningRateScales } from './layer-decay.ts';
import {
  type EmaOptions,
  keptFeed,
  type MovingAverage,
  moveAverage,
  movingAverage,
} from './moving-average.ts';
import type { Optimizer, StepRates } from './optimizer.ts';

/** A loss as sum and count (float scalars), so that means over several batches are exact. */
export type SummedLoss = { readonly lossSum: Tensor; readonly count: Tensor };

export type UpdateOptions = {
  readonly optimizer: Optimizer;
  /** Gradients are scaled down to this global norm; 0 = never. */
  readonly maxGradNorm: number;
  /** Micro-batches of a step, at most. With 1 the graph has no accumulators: they would cost memory and time. */
  readonly gradientAccumulationSteps: number;
  /** For whoever builds the loss: the part of a label's probability that all classes share; default 0. */
  readonly labelSmoothing?: number;
  /** For whoever builds the loss: weight of the divergence between two predictions; without it there is one. */
  readonly rDropAlpha?: number | undefined;
  /** For whoever builds the model: layers are computed again for their gradients; default false. */
  readonly gradientCheckpointing?: boolean;
  /** For whoever builds the model: matrix products are computed in bfloat16; default false. */
  readonly bf16?: boolean;
  /** Patterns of weights that do not change: freezing.ts. */
  readonly freeze?: readonly string[] | undefined;
  /** What each layer's learning rate is multiplied with for the one below: layer-decay.ts; default 1. */
  readonly layerwiseLearningRateDecay?: number | undefined;
  /** Keeps a moving average of the weights; whoever builds the prediction reads it: moving-average.ts. */
  readonly ema?: EmaOptions | undefined;
};

export type Update = {
  readonly optimizer: Optimizer;
  readonly loss: SummedLoss;
  /** What the optimiser remembers: `<weight>.<name in PyTorch>`. */
  readonly state: readonly Variable[];
  /** Fetch: the optimiser remembers nothing. */
  readonly clearState: Tensor;
  /** float32 [scales, rates], to be fed with the optimiser's numbers for the step at each scaled learning rate. */
  readonly rates: Tensor;
  /** Parts of the learning rate that weights are trained with. */
  readonly scales: readonly number[];
  readonly accumulation: Accumulation | undefined;
  readonly average: MovingAverage | undefined;
  /** Norm of the gradient of the mean loss, before clipping. */
  readonly gradientNorm: Tensor;
  /** Fetch: changes the weights. */
  readonly applied: Tensor;
};

/**
 * Adds to the graph what minimises the mean of `loss` by changing `weights`; frozen ones cost no work.
 * @throws TrainerError ConfigError when the patterns of frozen weights do not fit
 */
export function buildUpdate(
  graph: Graph,
  weights: readonly Variable[],
  loss: SummedLoss,
  options: UpdateOptions,
): Update {
  const { optimizer, maxGradNorm, freeze = [], layerwiseLearningRateDecay: decay = 1 } = options;
  const names = weights.map(({ name }) => name);
  const frozen = frozenWeights(names, freeze);
  const trained = weights.filter(({ name }) => !frozen.has(name));
  const found = weightGradients(loss.lossSum, trained);
  const accumulation = options.gradientAccumulationSteps > 1 ? accumulate(graph, trained, found) : undefined;
  const count = maximum(accumulation?.count ?? loss.count, 1);
  const { gradientNorm, clipped } = clipByGlobalNorm(accumulation?.gradients ?? found, count, maxGradNorm);
  const scaleOf = new Map(learningRateScales(names, decay).map((scale, i) => [names[i], scale]));
  const scales = [...new Set(trained.map(({ name }) => scaleOf.get(name) as number))];
  const rateCount = optimizer.rates({ step: 0, learningRate: 0 }).length;
  const rates = placeholder(graph, 'rates', 'float32', [scales.length, rateCount]);
  const scalars = unstack(rates).map((row) => unstack(row));
  const states = trained.map((weight) => stateOf(graph, optimizer, weight));
  const average = options.ema && movingAverage(graph, trained, options.ema);
  const updates = trained.flatMap((weight, index) => {
    const parameter = { weight, state: states[index] as Variable[], gradient: clipped[index] as Tensor };
    const scale = scales.indexOf(scaleOf.get(weight.name) as number);
    const changes = optimizer.update(parameter, scalars[scale] as readonly Tensor[]);
    const own = average?.variables[index];
    return own === undefined
      ? changes
      : [...changes, moveAverage(own, weight, average as MovingAverage, changes)];
  });
  const state = states.flat();
  return {
    optimizer,
    loss,
    state,
    clearState: zeroVariables(graph, state, 'clear_state'),
    rates,
    scales,
    accumulation,
    average,
    gradientNorm,
    applied: identity(scalar(graph, 'float32', 1), updates, 'update'),
  };
}

function weightGradients(loss: Tensor, weights: readonly Variable[]): Gradient[] {
  const found = gradients(
    loss,
    weights.map(({ value }) => value),
  );
  return weights.map(({ name }, index) => {
    const gradient = found[index];
    if (gradient === undefined) throw new Error(`The loss does not depend on '${name}'.`);
    return gradient;
  });
}

function stateOf(graph: Graph, optimizer: Optimizer, { name, shape }: Variable): Variable[] {
  return Object.entries(optimizer.state(shape)).map(([kind, its]) => variable(graph, `${name}.${kind}`, its));
}

/**
 * One optimiser step on micro-batches, each given by its feeds. Returns the mean loss over all of them and the norm of
 * its gradient, both from before the update. `beforeEach` is called before each of them; where it throws the step is given
 * up, and weights, optimiser state and average are as before: only the sums changed, and they begin anew with each step.
 */
export function runUpdate(
  session: Session,
  update: Update,
  microBatches: readonly (readonly Feed[])[],
  at: StepRates,
  beforeEach: () => void = () => {},
): { loss: number; gradientNorm: number } {
  const { accumulation, average, loss, gradientNorm, applied } = update;
  const rates = [ratesFeed(update, at), ...(average ? [keptFeed(average, at.step)] : [])];
  if (accumulation === undefined) {
    const [feeds = [], ...more] = microBatches;
    if (more.length > 0)
      throw new Error(`A graph without accumulators got ${microBatches.length} micro-batches.`);
    beforeEach();
    const results = session.run([loss.lossSum, loss.count, gradientNorm, applied], [...feeds, ...rates]);
    const [lossSum, count, norm] = results.map((data) => Number(data[0])) as [number, number, number];
    return { loss: lossSum / Math.max(1, count), gradientNorm: norm };
  }
  session.run([accumulation.clear], []);
  const total = { lossSum: 0, count: 0 };
  for (const feeds of microBatches) {
    beforeEach();
    const [lossSum, count] = session.run([loss.lossSum, loss.count, accumulation.added], feeds);
    total.lossSum += Number(lossSum?.[0]);
    total.count += Number(count?.[0]);
  }
  const count: Feed = { tensor: accumulation.count, data: Float32Array.of(total.count), shape: [] };
  const [norm] = session.run([gradientNorm, applied], [count, ...rates]);
  return { loss: total.lossSum / Math.max(1, total.count), gradientNorm: Number(norm?.[0]) };
}

function ratesFeed({ rates, scales, optimizer }: Update, { step, learningRate }: StepRates): Feed {
  const rows = scales.map((scale) => optimizer.rates({ step, learningRate: learningRate * scale }));
  return { tensor: rates, data: Float32Array.from(rows.flat()), shape: [rows.length, rows[0]?.length ?? 0] };
}
