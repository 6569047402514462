/** Runs a finished graph. Every call goes through native tensors; none of them survives the call. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Binding } from './binding.ts';
import { dtypeNumbers, type HostArray } from './dtype.ts';
import type { Graph, Tensor } from './graph.ts';
import { savedModelBytes, savedModelTag } from './saved-model.ts';

export type Feed = { readonly tensor: Tensor; readonly data: HostArray; readonly shape: readonly number[] };

/** A graph, loaded: its variables live until `close`. Tensors of a run are deleted with it, also when it fails. */
export class Session {
  readonly #binding: Binding;
  readonly #model: number;
  #open = true;

  constructor(binding: Binding, graph: Graph) {
    this.#binding = binding;
    const directory = mkdtempSync(join(tmpdir(), 'graph-'));
    try {
      writeFileSync(join(directory, 'saved_model.pb'), savedModelBytes(graph));
      this.#model = binding.loadSavedModel(directory, savedModelTag);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /**
   * One graph call: feeds the placeholders and returns the fetched tensors, in order.
   * Throws if named dimensions disagree between feeds, or with TensorFlow's message, which names the failing node.
   */
  run(fetches: readonly Tensor[], feeds: readonly Feed[]): HostArray[] {
    if (!this.#open) throw new Error('The session is closed.');
    checkFeeds(feeds);
    const inputs: number[] = [];
    const outputs: number[] = [];
    try {
      for (const { tensor, data, shape } of feeds) {
        inputs.push(this.#binding.createTensor(shape, dtypeNumbers[tensor.dtype], data));
      }
      const results = this.#binding.runSavedModel(
        this.#model,
        inputs,
        feeds.map((feed) => outputName(feed.tensor)).join(','),
        fetches.map(outputName).join(','),
      );
      outputs.push(...results.map((result) => result.id));
      return outputs.map((id) => this.#binding.tensorDataSync(id));
    } finally {
      for (const id of [...inputs, ...outputs]) this.#binding.deleteTensor(id);
    }
  }

  /** Frees the graph and every variable in it. Safe to call twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#binding.deleteSavedModel(this.#model);
  }
}

function outputName(tensor: Tensor): string {
  return `${tensor.node.name}:${tensor.index}`;
}

/** Checks each feed against its placeholder: rank, fixed sizes, and one value per named dimension. */
function checkFeeds(feeds: readonly Feed[]): void {
  const seen = new Map<string, { size: number; by: string }>();
  for (const { tensor, shape } of feeds) {
    const want = tensor.shape;
    const by = tensor.node.name;
    const fits =
      shape.length === want.length &&
      want.every((dim, axis) => typeof dim === 'string' || dim === shape[axis]);
    if (!fits) throw new Error(`Feed of '${by}' has shape [${shape.join(', ')}], want [${want.join(', ')}].`);
    for (const [axis, dim] of want.entries()) {
      if (typeof dim !== 'string') continue;
      const size = shape[axis] ?? 0;
      const first = seen.get(dim);
      if (first !== undefined && first.size !== size) {
        throw new Error(`Dimension '${dim}' is ${first.size} in '${first.by}' but ${size} in '${by}'.`);
      }
      seen.set(dim, { size, by });
    }
  }
}
