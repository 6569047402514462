/** What an optimiser is to the rest of the trainer; each has a file of its own. */
import type { Node, Tensor } from '../graph/graph.ts';
import type { Variable } from '../graph/variables.ts';

export type Optimizer = {
  /** Shapes of what it remembers for a weight, under the names of PyTorch's optimiser state; all begin at zero. */
  state(shape: readonly number[]): Readonly<Record<string, readonly number[]>>;
  /** The numbers that change from step to step; `step` is the number of updates before this one. */
  rates(at: StepRates): readonly number[];
  /** Adds the nodes that change a weight and its state. `rates` are scalars, in the order of the function above. */
  update(parameter: OptimizedParameter, rates: readonly Tensor[]): readonly Node[];
};

export type StepRates = { readonly step: number; readonly learningRate: number };

export type OptimizedParameter = {
  readonly weight: Variable;
  /** In the order of the optimiser's `state`. */
  readonly state: readonly Variable[];
  /** Of the mean loss, clipped. */
  readonly gradient: Tensor;
};
