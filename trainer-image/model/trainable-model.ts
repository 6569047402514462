/** A model with the head of its task, that trains, predicts, and gives and takes its whole state by name. */
import type { Batch } from '../data/batch.ts';
import { TrainerError } from '../failure.ts';
import type { Binding } from '../graph/binding.ts';
import type { HostArray } from '../graph/dtype.ts';
import type { Tensor } from '../graph/graph.ts';
import { type Feed, Session } from '../graph/session.ts';
import { type FirstValues, readFirstValues } from '../graph/variable-transfer.ts';
import { averageName } from '../optim/moving-average.ts';
import type { StepRates } from '../optim/optimizer.ts';
import { runUpdate, type UpdateOptions } from '../optim/update.ts';
import type { LossOptions } from '../tasks/loss.ts';
import { type Architecture, readArchitecture } from './architecture.ts';
import { openWeightFiles } from './checkpoint-files.ts';
import { initialWeight } from './initial-weights.ts';
import { lazyTensors, renamed, restoreVariables } from './saved-state.ts';
import type { NamedTensor } from './tensor.ts';
import { buildTrainingGraph, type GraphTask, type TrainingGraph } from './training-graph.ts';
import { mapWeights } from './weights.ts';

export type TrainableModelOptions = {
  readonly binding: Binding;
  readonly task: GraphTask;
  readonly modelDirectory: string;
  readonly labels: readonly string[];
  /** Seeds newly initialised weights and the dropout masks. */
  readonly seed: number;
  /** Replaces every dropout rate of config.json. */
  readonly dropout?: number | undefined;
  /** How training changes the loss. */
  readonly loss?: LossOptions;
  /** Batches of trainStep are packed. */
  readonly packed?: boolean;
  readonly update: UpdateOptions;
};

export type TrainableModel = {
  /** config.json as it was read. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The Hugging Face class that loads the exported model. */
  readonly className: string;
  readonly labels: readonly string[];
  readonly maxLength: number;
  readonly parameterCount: number;
  /** Weights that the checkpoint did not have. */
  readonly newlyInitialized: readonly string[];
  /** Keys of the checkpoint that were not used. */
  readonly unusedKeys: readonly string[];
  /**
   * One optimiser step; with one micro-batch it is one graph call. `step` counts from 0. Loss: mean over the labelled
   * rows of all micro-batches, before the update. Where `beforeEach`, called before each micro-batch, throws, the step is
   * given up and the state is the one before it.
   */
  trainStep(
    microBatches: readonly Batch[],
    at: StepRates,
    beforeEach?: () => void,
  ): { loss: number; gradientNorm: number };
  /** No dropout. The outputs are those of the task; the loss is summed over `count` labels. */
  predict(batch: Batch): { outputs: readonly HostArray[]; lossSum: number; count: number };
  /** Under the names of the state_dict; the data of each is read when asked for, and may be gone when a later one is. */
  weights(): Iterable<NamedTensor>;
  /** What is evaluated and published, under the same names: the moving average where there is one, else the weights. */
  evaluatedWeights(): Iterable<NamedTensor>;
  /** Under the names of the optimiser, `<weight>.exp_avg` for one; a moving average is `<weight>.ema`. */
  optimizerState(): Iterable<NamedTensor>;
  /**
   * Sets weights, optimiser state, or both; weights alone are their own average. Throws if a name or shape is wrong, or one
   * of a kind is missing.
   */
  restore(tensors: Iterable<NamedTensor>): void;
  /** Native tensors alive in this process, for leak tests. */
  tensorCount(): number;
  close(): void;
};

/** Loads the model. Throws TrainerError ModelError or ConfigError, naming what does not fit. */
export async function openTrainableModel(options: TrainableModelOptions): Promise<TrainableModel> {
  const { binding, task, modelDirectory, labels, seed } = options;
  const { raw, architecture } = readArchitecture(modelDirectory, {
    task: task.name,
    labels: task.width(labels.length),
    dropout: options.dropout,
    packed: options.packed ?? false,
  });
  const { parameters, prefix, initializerRange } = architecture;
  const files = openWeightFiles(modelDirectory);
  let values: FirstValues | undefined;
  try {
    const map = mapWeights(files.entries, parameters, prefix);
    values = readFirstValues(parameters, async (spec) => {
      const key = map.keys.get(spec.name);
      return key === undefined ? initialWeight(spec, seed, initializerRange) : files.readInBackground(key);
    });
    const built = buildTrainingGraph(
      architecture,
      { task, labels: labels.length, packed: options.packed, ...(options.loss && { loss: options.loss }) },
      options.update,
    );
    const session = new Session(binding, built.graph);
    await values.assign(session, built.weights, [built.update.clearState]);
    if (built.update.average) session.run([built.update.average.started], []);
    return {
      config: raw,
      className: architecture.className,
      labels,
      maxLength: architecture.maxLength,
      parameterCount: parameters.reduce((sum, { shape }) => sum + elements(shape), 0),
      newlyInitialized: map.newlyInitialized,
      unusedKeys: map.unusedKeys,
      ...operations(session, built, architecture, options),
      tensorCount: () => binding.getNumOfTensors(),
      close: () => session.close(),
    };
  } finally {
    await values?.settled();
    files.close();
  }
}

type Operations = Pick<
  TrainableModel,
  'trainStep' | 'predict' | 'weights' | 'evaluatedWeights' | 'optimizerState' | 'restore'
>;

function operations(
  session: Session,
  built: TrainingGraph,
  architecture: Architecture,
  { seed, update: { gradientAccumulationSteps } }: TrainableModelOptions,
): Operations {
  const { average } = built.update;
  const averages = average?.variables ?? [];
  const state = [...built.update.state, ...averages];
  return {
    trainStep(microBatches, at, beforeEach) {
      const feeds = microBatches.map((batch, index): Feed[] => {
        const number = at.step * gradientAccumulationSteps + index;
        const masks = { tensor: built.seed, data: Int32Array.of(foldSeed(seed), number), shape: [2] };
        return [...batchFeeds(built, architecture, batch), masks];
      });
      return runUpdate(session, built.update, feeds, at, beforeEach);
    },
    predict(batch) {
      const { outputs, lossSum, count } = built.predict;
      const feeds = batchFeeds(built, architecture, batch);
      const results = session.run([lossSum, count, ...outputs], feeds);
      const [sum, number, ...read] = results;
      return { outputs: read, lossSum: Number(sum?.[0]), count: Number(number?.[0]) };
    },
    weights: () => lazyTensors(session, built.weights),
    evaluatedWeights() {
      const read = new Map(lazyTensors(session, averages).map((own) => [own.name, own]));
      return lazyTensors(session, built.weights).map((weight) => {
        const own = read.get(averageName(weight.name));
        return own === undefined ? weight : renamed(own, weight.name);
      });
    },
    optimizerState: () => lazyTensors(session, state),
    restore(tensors) {
      const given = restoreVariables(session, [built.weights, state], tensors);
      if (average && !given.has(averages[0]?.name ?? '')) session.run([average.started], []);
    },
  };
}

function batchFeeds(built: TrainingGraph, architecture: Architecture, batch: Batch): Feed[] {
  checkBatch(architecture, batch);
  const { inputIds, attentionMask, tokenTypeIds, labels, positions, positionIds, starts } = batch;
  const { inputs } = built;
  const sizes: Record<string, number> = {
    batch: batch.rows,
    length: batch.length,
    examples: batch.indices.length,
    positions: positions?.length ?? 0,
  };
  const feed = (tensor: Tensor, data: HostArray): Feed => ({
    tensor,
    data,
    shape: tensor.shape.map((dim) => (typeof dim === 'string' ? (sizes[dim] as number) : dim)),
  });
  return [
    feed(inputs.inputIds, inputIds),
    feed(inputs.attentionMask, attentionMask),
    feed(inputs.tokenTypeIds, tokenTypeIds),
    feed(built.labels, labels),
    ...(inputs.positions && positions ? [feed(inputs.positions, positions)] : []),
    ...(inputs.packed && positionIds
      ? [feed(inputs.packed.positionIds, positionIds), feed(inputs.packed.starts, starts)]
      : []),
  ];
}

/** A GPU reads zeros for an index that is out of range, so it is checked here. */
function checkBatch(architecture: Architecture, batch: Batch): void {
  if (batch.length > architecture.maxLength) {
    throw new TrainerError(
      'ConfigError',
      `A batch has ${batch.length} tokens a row, the model has ${architecture.maxLength} positions.`,
      `Set spec.training.maxLength to at most ${architecture.maxLength}.`,
    );
  }
  const check = (ids: Int32Array, size: number, what: string): void => {
    const wrong = ids.find((id) => id < 0 || id >= size);
    if (wrong === undefined) return;
    throw new TrainerError(
      'ModelError',
      `The tokenizer gives the ${what} ${wrong}, but the model knows only 0 to ${size - 1}.`,
      'Use the tokenizer.json that belongs to the model.',
    );
  };
  check(batch.inputIds, architecture.vocabularySize, 'token id');
  if (architecture.typeVocabularySize > 1)
    check(batch.tokenTypeIds, architecture.typeVocabularySize, 'token type');
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Seeds may be larger than an int32. */
function foldSeed(seed: number): number {
  return (seed ^ Math.floor(seed / 2 ** 32)) | 0;
}
