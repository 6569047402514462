/** The one graph of a sequence classifier: train step, prediction, and access to weights and optimiser state. */
import { crossEntropy } from '../graph/cross-entropy.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import { cast, greaterEqual, maximum, mul, placeholder, sumAll } from '../graph/ops.ts';
import { type Variable, variable } from '../graph/variables.ts';
import { buildUpdate, type SummedLoss, type Update, type UpdateOptions } from '../optim/update.ts';
import type { Architecture } from './architecture.ts';
import type { EncoderInputs } from './parameters.ts';
import { rDropLoss } from './r-drop.ts';

export type ClassifierGraph = {
  readonly graph: Graph;
  readonly inputs: EncoderInputs;
  /** int32 [batch]; -100 (any negative number) = no label. */
  readonly labels: Tensor;
  /** int32 [seed, number of the micro-batch] */
  readonly seed: Tensor;
  /** In the order of the architecture's parameters. */
  readonly weights: readonly Variable[];
  /** One optimiser step on the loss with dropout. */
  readonly update: Update;
  /** Fetches without dropout: logits [batch, labels], loss summed over labelled rows, their number (float). */
  readonly predict: { readonly logits: Tensor; readonly lossSum: Tensor; readonly count: Tensor };
};

export function buildClassifierGraph(architecture: Architecture, options: UpdateOptions): ClassifierGraph {
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

  const { labelSmoothing, rDropAlpha, gradientCheckpointing = false } = options;
  const logits = graph.scope('predict', () => architecture.logits(inputs, weight));
  const predicted = graph.scope('predict/loss', () => classificationLoss(logits, labels));
  const random = { seed, sites: 0 };
  const loss = (drawn: Tensor): SummedLoss => classificationLoss(drawn, labels, labelSmoothing);
  const draw = (): Tensor => architecture.logits(inputs, weight, { random, gradientCheckpointing });
  const trained = graph.scope('train', () =>
    rDropAlpha === undefined ? loss(draw()) : rDropLoss([draw(), draw()], labels, rDropAlpha, loss),
  );
  return {
    graph,
    inputs,
    labels,
    seed,
    weights,
    update: graph.scope('update', () => buildUpdate(graph, weights, trained, options)),
    predict: { logits, ...predicted },
  };
}

function classificationLoss(logits: Tensor, labels: Tensor, smoothing = 0): SummedLoss {
  const labelled = cast(greaterEqual(labels, 0), 'float32');
  const losses = crossEntropy(logits, maximum(labels, 0), smoothing);
  return { lossSum: sumAll(mul(losses, labelled)), count: sumAll(labelled) };
}
