/**
 * Adafactor as transformers.optimization.Adafactor computes it with the settings of `optim="adafactor"`: the learning
 * rate is the one given (relative_step and scale_parameter off), there is no first moment. Of the squares of a matrix it
 * remembers the means of rows and columns alone, so its state is small.
 */
import { reshape } from '../graph/array-ops.ts';
import type { Node, Shape, Tensor } from '../graph/graph.ts';
import { sizeOf } from '../graph/graph.ts';
import { add, div, l2Loss, maximum, mean, mul, rsqrt, sqrt, square } from '../graph/ops.ts';
import { assignVariable, subtractFromVariable, type Variable } from '../graph/variables.ts';
import type { OptimizedParameter, Optimizer } from './optimizer.ts';
import { isDecayed } from './weight-decay.ts';

export type AdafactorOptions = { readonly weightDecay: number };

const epsilon = 1e-30;
/** Largest root mean square of an update before the learning rate. */
const clipThreshold = 1;
const decayRate = -0.8;

export function adafactor({ weightDecay }: AdafactorOptions): Optimizer {
  return {
    state: (shape) =>
      shape.length < 2
        ? { exp_avg_sq: shape }
        : { exp_avg_sq_row: shape.slice(0, -1), exp_avg_sq_col: [...shape.slice(0, -2), ...shape.slice(-1)] },
    rates({ step, learningRate }) {
      const fresh = (step + 1) ** decayRate;
      return [learningRate, 1 - fresh, fresh, weightDecay * learningRate];
    },
    update: (parameter, rates) => applyAdafactor(parameter, rates, weightDecay),
  };
}

function applyAdafactor(
  parameter: OptimizedParameter,
  rates: readonly Tensor[],
  weightDecay: number,
): Node[] {
  const { weight, gradient } = parameter;
  const [learningRate, kept, fresh, decay] = rates as readonly [Tensor, Tensor, Tensor, Tensor];
  const squares = add(square(gradient), epsilon);
  const average = (before: Variable, now: Tensor): Tensor => add(mul(before.value, kept), mul(now, fresh));
  const { inverseRoot, assigns } = secondMoment(parameter, squares, average);
  const update = mul(inverseRoot, gradient);
  const rootMeanSquare = sqrt(mul(l2Loss(update), 2 / sizeOf(weight.shape)));
  const scaled = mul(update, div(learningRate, maximum(div(rootMeanSquare, clipThreshold), 1)));
  const decayed = weightDecay !== 0 && isDecayed(weight.name);
  const change = decayed ? add(scaled, mul(weight.value, decay)) : scaled;
  return [...assigns, subtractFromVariable(weight.handle, change)];
}

/** 1 / sqrt(running mean of `squares`), exact for a vector, from the means of rows and columns for a matrix. */
function secondMoment(
  { weight, state }: OptimizedParameter,
  squares: Tensor,
  average: (before: Variable, now: Tensor) => Tensor,
): { inverseRoot: Tensor; assigns: Node[] } {
  const rank = weight.shape.length;
  const [first, second] = state as readonly [Variable, Variable | undefined];
  if (second === undefined) {
    const moment = average(first, squares);
    return { inverseRoot: rsqrt(moment), assigns: [assignVariable(first.handle, moment, [])] };
  }
  const rows = average(first, mean(squares, [rank - 1]));
  const columns = average(second, mean(squares, [rank - 2]));
  const rowFactor = rsqrt(div(rows, mean(rows, [rank - 2], true)));
  const at = (x: Tensor, shape: Shape): Tensor => reshape(x, shape);
  const inverseRoot = mul(
    at(rowFactor, [...rows.shape, 1]),
    at(rsqrt(columns), [...columns.shape.slice(0, -1), 1, ...columns.shape.slice(-1)]),
  );
  const assigns = [assignVariable(first.handle, rows, []), assignVariable(second.handle, columns, [])];
  return { inverseRoot, assigns };
}
