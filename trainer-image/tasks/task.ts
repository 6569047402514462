/** What differs between tasks. The recipe asks these questions and knows nothing else about the task of a run. */
import type { Kind, MetricName, TaskName } from '../../crds/tasks.ts';
import type { Batch, PaddedRows } from '../data/batch.ts';
import type { EncodedSplit } from '../data/encoded.ts';
import type { Columns, Content } from '../data/row.ts';
import type { TextTokenizer } from '../data/tokenizer.ts';
import type { DType, HostArray } from '../graph/dtype.ts';
import type { Shape, Tensor } from '../graph/graph.ts';
import type { EvaluatedModel, Mistake } from '../report/report.ts';
import type { Loss, LossOptions } from './loss.ts';

/** What random choices of a batch hang on; without it, at evaluation, they are the same for every model and run. */
export type Draw = { seed: number; epoch: number };

/** Numbers that a model gave for a split, by name; each list in the order of the split. */
export type Figures = Readonly<Record<string, ArrayLike<number>>>;

/** A model on a split: mean loss and figures. */
export type Evaluated = { loss: number; figures: Figures };

/** What an evaluation is of. */
export type Evaluation = { evaluated: Evaluated; split: EncodedSplit; labels: readonly string[] };

/** Collects the figures of a split batch by batch. */
export type Recorder = { figures: Figures; add(batch: Batch, outputs: readonly HostArray[]): void };

export type Task = {
  readonly kind: Kind;
  /** Decides the head of the model. */
  readonly name: TaskName;

  /** The content of a row from the values of its columns, or the reason why the row is bad. */
  readRow(values: Readonly<Record<string, unknown>>, columns: Columns): Content | string;
  /** Whether it must be known to which word each token belongs. */
  readonly readsWords: boolean;
  /** Throws TrainerError ModelError when the tokenizer lacks something. */
  checkTokenizer(tokenizer: TextTokenizer): void;
  /** Ids that the loss compares with, -100 where there is none: of a row with these label ids and words of tokens. */
  targets(labelIds: readonly number[], words: Int32Array): ArrayLike<number>;
  /** Throws TrainerError DataError when nothing can be learned from the train split. */
  checkTrain(train: EncodedSplit, labels: readonly string[]): void;
  /** What has one label: by that splits are drawn and the data is judged. */
  readonly labelled: 'row' | 'word' | 'otherwise';
  /** Padded rows with what the loss compares with. */
  collate(rows: PaddedRows, split: EncodedSplit, draw?: Draw): Batch;

  /** Logits that a head has for so many labels. */
  width(labels: number): number;
  /** Of the batch's labels, for so many labels; `examples` and `positions` are named dimensions. */
  labels(labels: number): { dtype: DType; shape: Shape };
  /** Loss as sum and count, so that means over several batches are exact. */
  loss(logits: Tensor, labels: Tensor, options?: LossOptions): Loss;
  /** Logits of a batch, of which memory holds some copies. */
  logitCount(batch: { rows: number; length: number }, sizes: { labels: number; vocabulary: number }): number;
  /** What evaluation reads of each batch. */
  outputs(logits: Tensor, labels: Tensor): readonly Tensor[];

  recorder(split: EncodedSplit, labels: readonly string[]): Recorder;
  /** The figures by which base and tuned model are compared: those that a checkpoint keeps of the base model. */
  readonly compared: readonly string[];
  scores(evaluation: Evaluation): EvaluatedModel;
  /** The metric on any texts of the split, the same one perhaps several times: what the bootstrap resamples. */
  scorer(evaluation: Evaluation, metric: MetricName): (texts: ArrayLike<number>) => number;
  /** What the report says about its list of mistakes, and what their severity is. */
  readonly mistakes: { caption: string; severity: string };
  /** A line of predictions.jsonl about a text, and its worst mistake if there is one. */
  prediction(evaluation: Evaluation, text: number, content: Content): { line: object; mistake?: Mistake };

  /** Fields of config.json beyond those of the base model. */
  exportedConfig(labels: readonly string[]): Record<string, unknown>;
  /** What the model card says: the name that the hub gives to the task, and what the model does. */
  card(labels: readonly string[]): { pipelineTag: string; does: string };
};
