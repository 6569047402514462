/** The one graph of a model with the head of its task: train step, prediction, and access to weights and optimiser state. */
import { Graph, type Tensor } from '../graph/graph.ts';
import { placeholder } from '../graph/ops.ts';
import { type Variable, variable } from '../graph/variables.ts';
import { averageName } from '../optim/moving-average.ts';
import { buildUpdate, type Update, type UpdateOptions } from '../optim/update.ts';
import type { Loss, LossOptions } from '../tasks/loss.ts';
import type { Task } from '../tasks/task.ts';
import type { Architecture } from './architecture.ts';
import type { EncoderInputs } from './parameters.ts';
import { rDropLoss } from './r-drop.ts';

export type TrainingGraph = {
  readonly graph: Graph;
  readonly inputs: EncoderInputs;
  /** In the layout of the task. */
  readonly labels: Tensor;
  /** int32 [seed, number of the micro-batch] */
  readonly seed: Tensor;
  /** In the order of the architecture's parameters. */
  readonly weights: readonly Variable[];
  /** One optimiser step on the loss with dropout. */
  readonly update: Update;
  /** Fetches without dropout, with the moving average in place of the weights where there is one: what the task's evaluation reads, the loss summed over the labels, their number (float). */
  readonly predict: {
    readonly outputs: readonly Tensor[];
    readonly lossSum: Tensor;
    readonly count: Tensor;
  };
};

/** What the graph has to know of a task. */
export type GraphTask = Pick<Task, 'name' | 'width' | 'labels' | 'loss' | 'outputs'>;

export type TrainedTask = {
  readonly task: GraphTask;
  readonly labels: number;
  readonly loss?: LossOptions;
  /** Rows hold several examples in training; they never do in prediction. */
  readonly packed?: boolean | undefined;
};

/** One graph for a step of training and for prediction, over the same variables. Throws TrainerError ConfigError for patterns of weights that match none. */
export function buildTrainingGraph(
  architecture: Architecture,
  { task, labels: labelCount, loss = {}, packed = false }: TrainedTask,
  options: UpdateOptions,
): TrainingGraph {
  const { dtype, shape } = task.labels(labelCount);
  const graph = new Graph({ products: options.bf16 ? 'bfloat16' : 'float32' });
  const ids = (name: string): Tensor => placeholder(graph, name, 'int32', ['batch', 'length']);
  const inputs: EncoderInputs = {
    inputIds: ids('input_ids'),
    attentionMask: ids('attention_mask'),
    tokenTypeIds: ids('token_type_ids'),
    ...(shape.includes('positions') && {
      positions: placeholder(graph, 'positions', 'int32', ['positions']),
    }),
  };
  const trained: EncoderInputs = {
    ...inputs,
    ...(packed && {
      packed: {
        positionIds: ids('position_ids'),
        starts: placeholder(graph, 'starts', 'int32', ['examples']),
      },
    }),
  };
  const labels = placeholder(graph, 'labels', dtype, shape);
  const seed = placeholder(graph, 'seed', 'int32', [2]);
  const weights = architecture.parameters.map(({ name, shape }) => variable(graph, name, shape));
  const byName = new Map(weights.map((weight) => [weight.name, weight.value]));
  const weight = (name: string): Tensor => {
    const value = byName.get(name);
    if (value === undefined) throw new Error(`The architecture declares no parameter '${name}'.`);
    return value;
  };

  const { labelSmoothing, rDropAlpha, gradientCheckpointing = false } = options;
  const random = { seed, sites: 0 };
  const draw = (): Tensor => architecture.logits(trained, weight, { random, gradientCheckpointing });
  const lossOf = (drawn: Tensor): Loss => task.loss(drawn, labels, { labelSmoothing, ...loss });
  const trainLoss = graph.scope('train', () =>
    rDropAlpha === undefined ? lossOf(draw()) : rDropLoss([draw(), draw()], labels, rDropAlpha, lossOf),
  );
  const update = graph.scope('update', () => buildUpdate(graph, weights, trainLoss, options));
  const averages = new Map(update.average?.variables.map(({ name, value }) => [name, value]));
  const evaluated = (name: string): Tensor => averages.get(averageName(name)) ?? weight(name);
  const logits = graph.scope('predict', () => architecture.logits(inputs, evaluated));
  const outputs = graph.scope('predict/outputs', () => task.outputs(logits, labels));
  const predicted = graph.scope('predict/loss', () => task.loss(logits, labels));
  return {
    graph,
    inputs: trained,
    labels,
    seed,
    weights,
    update,
    predict: { outputs, ...predicted },
  };
}
