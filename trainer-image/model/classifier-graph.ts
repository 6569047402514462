/** The one graph of a sequence classifier: train step, prediction, and access to weights and moments. */
import { fill } from '../graph/array-ops.ts';
import { gradients } from '../graph/gradients.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import {
  cast,
  div,
  greaterEqual,
  identity,
  maximum,
  mul,
  placeholder,
  scalar,
  sparseSoftmaxCrossEntropy,
  sumAll,
} from '../graph/ops.ts';
import { assignVariable, type Variable, variable } from '../graph/variables.ts';
import {
  type AdamWOptions,
  type AdamWParameter,
  type AdamWRates,
  adamWRates,
  adamWUpdate,
} from '../optim/adamw.ts';
import type { Architecture } from './architecture.ts';
import type { EncoderInputs } from './parameters.ts';

export type ClassifierGraph = {
  readonly graph: Graph;
  readonly inputs: EncoderInputs;
  /** int32 [batch]; -100 (any negative number) = no label. */
  readonly labels: Tensor;
  /** int32 [seed, step] */
  readonly seed: Tensor;
  readonly rates: AdamWRates;
  /** In the order of the architecture's parameters. */
  readonly weights: readonly Variable[];
  readonly firstMoments: readonly Variable[];
  readonly secondMoments: readonly Variable[];
  /** Fetch: sets all moments to zero. */
  readonly clearMoments: Tensor;
  /** Fetches of one optimiser step: mean loss and gradient norm, both from before the update. */
  readonly train: { readonly loss: Tensor; readonly gradientNorm: Tensor };
  /** Fetches without dropout: logits [batch, labels], loss summed over labelled rows, their number (float). */
  readonly predict: { readonly logits: Tensor; readonly lossSum: Tensor; readonly count: Tensor };
};

/** Names under which the moments of a weight are saved, as PyTorch's optimiser state calls them. */
export const momentNames = {
  first: (weight: string): string => `${weight}.exp_avg`,
  second: (weight: string): string => `${weight}.exp_avg_sq`,
};

export function buildClassifierGraph(architecture: Architecture, optimizer: AdamWOptions): ClassifierGraph {
  const graph = new Graph();
  const ids = (name: string): Tensor => placeholder(graph, name, 'int32', ['batch', 'length']);
  const inputs: EncoderInputs = {
    inputIds: ids('input_ids'),
    attentionMask: ids('attention_mask'),
    tokenTypeIds: ids('token_type_ids'),
  };
  const labels = placeholder(graph, 'labels', 'int32', ['batch']);
  const seed = placeholder(graph, 'seed', 'int32', [2]);
  const weights = architecture.parameters.map(({ name, shape }) => variable(graph, name, shape));
  const byName = new Map(weights.map((weight) => [weight.name, weight.value]));
  const weight = (name: string): Tensor => {
    const value = byName.get(name);
    if (value === undefined) throw new Error(`The architecture declares no parameter '${name}'.`);
    return value;
  };

  const logits = graph.scope('predict', () => architecture.logits(inputs, weight));
  const predicted = graph.scope('predict/loss', () => crossEntropy(logits, labels));
  const trained = graph.scope('train', () =>
    crossEntropy(architecture.logits(inputs, weight, { seed, sites: 0 }), labels),
  );
  const parameters = optimizedParameters(graph, weights, trained.lossSum);
  const rates = adamWRates(graph);
  const { gradientNorm, updates } = graph.scope('update', () =>
    adamWUpdate(parameters, rates, optimizer, maximum(trained.count, 1)),
  );
  const meanLoss = div(trained.lossSum, maximum(trained.count, 1));
  return {
    graph,
    inputs,
    labels,
    seed,
    rates,
    weights,
    firstMoments: parameters.map(({ firstMoment }) => firstMoment),
    secondMoments: parameters.map(({ secondMoment }) => secondMoment),
    clearMoments: clear(
      graph,
      parameters.flatMap(({ firstMoment, secondMoment }) => [firstMoment, secondMoment]),
    ),
    train: { loss: identity(meanLoss, updates, 'train_step'), gradientNorm },
    predict: { logits, ...predicted },
  };
}

/** Loss as sum and count, so that means over several batches are exact. */
function crossEntropy(logits: Tensor, labels: Tensor): { lossSum: Tensor; count: Tensor } {
  const labelled = cast(greaterEqual(labels, 0), 'float32');
  const { loss } = sparseSoftmaxCrossEntropy(logits, maximum(labels, 0));
  return { lossSum: sumAll(mul(loss, labelled)), count: sumAll(labelled) };
}

function optimizedParameters(graph: Graph, weights: readonly Variable[], loss: Tensor): AdamWParameter[] {
  const found = gradients(
    loss,
    weights.map(({ value }) => value),
  );
  return weights.map((weight, index) => {
    const gradient = found[index];
    if (gradient === undefined) throw new Error(`The loss does not depend on '${weight.name}'.`);
    return {
      weight,
      firstMoment: variable(graph, momentNames.first(weight.name), weight.shape),
      secondMoment: variable(graph, momentNames.second(weight.name), weight.shape),
      gradient,
    };
  });
}

function clear(graph: Graph, variables: readonly Variable[]): Tensor {
  const zero = scalar(graph, 'float32', 0);
  const assigns = variables.map(({ handle, shape }) => assignVariable(handle, fill(graph, shape, zero), []));
  return identity(zero, assigns, 'clear_moments');
}
