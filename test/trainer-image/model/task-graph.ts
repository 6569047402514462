/** A graph of one architecture and task with the loss and the gradient of each weight, to compare with PyTorch's. */
import type { Batch } from '../../../trainer-image/data/batch.ts';
import { reshape } from '../../../trainer-image/graph/array-ops.ts';
import type { Binding } from '../../../trainer-image/graph/binding.ts';
import { dense, gradients } from '../../../trainer-image/graph/gradients.ts';
import { Graph, type Tensor } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { type Feed, Session } from '../../../trainer-image/graph/session.ts';
import { productDim } from '../../../trainer-image/graph/shape.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../../trainer-image/model/checkpoint-files.ts';
import type { Task } from '../../../trainer-image/model/model.ts';
import { mapWeights } from '../../../trainer-image/model/weights.ts';

export type TaskBatch = Batch & {
  /** [rows * length], negative = no label. */
  tokenLabels: Int32Array;
  /** Of MaskedLM, and the tokens that belong there. */
  positions: Int32Array;
  targets: Int32Array;
};

export type TaskGraph = {
  className: string;
  newlyInitialized: readonly string[];
  /** Row-major. */
  logits(batch: TaskBatch): Float32Array;
  /** Gradients of the mean loss by parameter. */
  gradients(batch: TaskBatch): { loss: number; gradients: Map<string, Float32Array> };
  /** By parameter; a change counts from the next call on. */
  weights: Map<string, Float32Array>;
  close(): void;
};

export function openTaskGraph(
  binding: Binding,
  directory: string,
  {
    task,
    labels,
    packed = false,
    bf16 = false,
    ...training
  }: { task: Task; labels: number; packed?: boolean; gradientCheckpointing?: boolean; bf16?: boolean },
): TaskGraph {
  const { architecture } = readArchitecture(directory, { task, labels, packed });
  const { parameters, prefix } = architecture;
  const graph = new Graph({ products: bf16 ? 'bfloat16' : 'float32' });
  const ids = (name: string) => ops.placeholder(graph, name, 'int32', ['batch', 'length']);
  const inputs = {
    inputIds: ids('i'),
    attentionMask: ids('m'),
    tokenTypeIds: ids('t'),
    positions: ops.placeholder(graph, 'p', 'int32', ['positions']),
    packed: packed
      ? { positionIds: ids('n'), starts: ops.placeholder(graph, 's', 'int32', ['examples']) }
      : undefined,
  };
  const weights = parameters.map(({ shape }, i) => ops.placeholder(graph, `w${i}`, 'float32', shape));
  const weight = (name: string) => weights[parameters.findIndex((spec) => spec.name === name)] as Tensor;
  const logits = architecture.logits(inputs, weight, training);
  const labelsInput = ops.placeholder(graph, 'labels', 'int32', logits.shape.slice(0, -1));
  const rows = { logits: flat(logits), labels: flat(labelsInput, 0) };
  const labelled = ops.cast(ops.greaterEqual(rows.labels, 0), 'float32');
  const { loss } = ops.sparseSoftmaxCrossEntropy(rows.logits, ops.maximum(rows.labels, 0));
  const mean = ops.div(ops.sumAll(ops.mul(loss, labelled)), ops.sumAll(labelled));
  const found = gradients(mean, weights).map((gradient, i) => {
    if (gradient === undefined) throw new Error(`The loss does not depend on ${parameters[i]?.name}.`);
    return dense(gradient);
  });
  const session = new Session(binding, graph);
  const files = openWeightFiles(directory);
  const map = mapWeights(files.entries, parameters, prefix);
  const values = new Map(
    parameters.map(({ name }) => [name, files.read(map.keys.get(name) as string).slice()]),
  );
  files.close();
  const feeds = (batch: TaskBatch): Feed[] => {
    const { positionIds, starts } = batch;
    const shape = [batch.rows, batch.length];
    const fed = labelsOf(task, batch);
    // Of TokenClassification the golden files have the logits of every place.
    const positions = task === 'MaskedLM' ? batch.positions : Int32Array.from(batch.inputIds.keys());
    return [
      { tensor: inputs.inputIds, data: batch.inputIds, shape },
      { tensor: inputs.attentionMask, data: batch.attentionMask, shape },
      { tensor: inputs.tokenTypeIds, data: batch.tokenTypeIds, shape },
      { tensor: inputs.positions, data: positions, shape: [positions.length] },
      { tensor: labelsInput, data: fed, shape: [fed.length] },
      ...(inputs.packed && positionIds
        ? [
            { tensor: inputs.packed.positionIds, data: positionIds, shape },
            { tensor: inputs.packed.starts, data: starts, shape: [starts.length] },
          ]
        : []),
      ...parameters.map(({ name, shape }, i): Feed => {
        return { tensor: weights[i] as Tensor, data: values.get(name) as Float32Array, shape };
      }),
    ];
  };
  return {
    className: architecture.className,
    newlyInitialized: map.newlyInitialized,
    logits: (batch) => session.run([logits], feeds(batch))[0] as Float32Array,
    gradients(batch) {
      const [value, ...results] = session.run([mean, ...found], feeds(batch)) as Float32Array[];
      const byName = parameters.map(({ name }, i) => [name, results[i] as Float32Array] as const);
      return { loss: Number(value?.[0]), gradients: new Map(byName) };
    },
    weights: values,
    close: () => session.close(),
  };
}

function labelsOf(task: Task, batch: TaskBatch): Int32Array | Float32Array {
  if (task === 'TokenClassification') return batch.tokenLabels;
  return task === 'MaskedLM' ? batch.targets : batch.labels;
}

/** All axes but the last `kept` as one. */
function flat(x: Tensor, kept = 1): Tensor {
  return reshape(x, [
    productDim(x.shape.slice(0, x.shape.length - kept)),
    ...x.shape.slice(x.shape.length - kept),
  ]);
}
