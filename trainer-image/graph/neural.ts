/**
 * The building blocks of transformers. Each has a gradient written by hand, because the chain of single ops would pass
 * over memory more often; the elementwise passes, not the matrix products, are what can be saved.
 */
import { concat, flattenRows, reshape, slice } from './array-ops.ts';
import { composite, type Tensor } from './graph.ts';
import {
  add,
  biasAdd,
  biasAddGrad,
  erf,
  exp,
  identity,
  log,
  mean,
  mul,
  neg,
  relu,
  rsqrt,
  scalar,
  select,
  sigmoid,
  softmax,
  square,
  sub,
  sum,
} from './ops.ts';
import { batchMatmul, lowered, matmul } from './products.ts';
import { keepMask, type RandomSource } from './random.ts';

/** Dropout as it is to be applied: nothing at evaluation. */
export type Dropout = { readonly source: RandomSource; readonly rate: number } | undefined;

/** x W^T + b for x [..., in], W [out, in] (PyTorch's layout), b [out] or none -> [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const product = matmul(flattenRows(x), weight, { transposeB: true });
  const rows = bias === undefined ? product : biasAdd(product, bias);
  return reshape(rows, [...x.shape.slice(0, -1), weight.shape[0] ?? 1]);
}

/** Sets elements to zero with probability `rate` and scales the others, so that the expected value stays. */
export function dropout(x: Tensor, how: Dropout): Tensor {
  if (how === undefined || how.rate === 0) return x;
  const { keep, scale } = keepMask(how.source, x.shape, how.rate);
  const apply = (value: Tensor): Tensor => mul(select(keep, value, zeroLike(value)), scale);
  return composite([x], apply(x), (dy) => [apply(dy)]);
}

/** x * Phi(x) with the exact normal distribution function Phi (torch.nn.GELU, approximate='none'). */
export function gelu(x: Tensor): Tensor {
  const { y, gradient } = geluParts(x);
  return composite([x], y, (dy) => [gradient(dy)]);
}

/** log(1 + exp(x)) - x * label for each element: what torch.nn.BCEWithLogitsLoss averages. Labels get no gradient. */
export function sigmoidCrossEntropy(x: Tensor, labels: Tensor): Tensor {
  const tail = log(add(exp(neg(add(relu(x), relu(neg(x))))), 1)); // log(1 + exp(-|x|)): cannot overflow
  const loss = sub(add(relu(x), tail), mul(x, labels));
  return composite([x], loss, (dLoss) => [mul(dLoss, sub(sigmoid(x), labels))]);
}

/** gelu(a) * b for the halves a and b of the last axis of x [..., 2n] -> [..., n]. */
export function gatedGelu(x: Tensor): Tensor {
  const [a, b] = halves(x);
  const { y, gradient } = geluParts(a);
  return composite([x], mul(y, b), (dy) => [concat([gradient(mul(dy, b)), mul(dy, y)], x.shape.length - 1)]);
}

function geluParts(x: Tensor): { y: Tensor; gradient: (dy: Tensor) => Tensor } {
  const scaled = mul(x, Math.SQRT1_2); // a, with x = a * sqrt(2)
  const doubled = add(erf(scaled), 1); // 2 Phi(x)
  return {
    y: mul(mul(scaled, doubled), Math.SQRT1_2),
    gradient(dy) {
      // d/dx = Phi(x) + x phi(x) = 1/2 (2 Phi(x) + a exp(ln(2/sqrt(pi)) - a^2))
      const density = mul(scaled, exp(sub(Math.log(2 / Math.sqrt(Math.PI)), square(scaled))));
      return mul(mul(add(doubled, density), dy), 0.5);
    },
  };
}

/** The first and the second half of the last axis. */
function halves(x: Tensor): readonly [Tensor, Tensor] {
  const rest = x.shape.slice(0, -1);
  const half = (x.shape.at(-1) as number) / 2;
  const start = rest.map(() => 0);
  return [slice(x, [...start, 0], [...rest, half]), slice(x, [...start, half], [...rest, half])];
}

/**
 * Rotary position embedding (Su et al. 2021): elements i and i + depth/2 of x [..., length, depth] are the coordinates of
 * a point that turns by the angle of its place; cos and sin are [length, depth / 2].
 */
export function rotate(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const turn = (points: Tensor, sine: Tensor): Tensor => {
    const [a, b] = halves(points);
    return concat([sub(mul(a, cos), mul(b, sine)), add(mul(b, cos), mul(a, sine))], x.shape.length - 1);
  };
  return composite([x], turn(x, sin), (dy) => [turn(dy, neg(sin))]);
}

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis; beta may be missing. */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor | undefined, epsilon: number): Tensor {
  const axis = [x.shape.length - 1];
  const centered = sub(x, mean(x, axis, true));
  const inverse = rsqrt(add(mean(square(centered), axis, true), epsilon));
  const normal = mul(centered, inverse);
  const scaled = mul(normal, gamma);
  const y = beta === undefined ? scaled : add(scaled, beta);
  return composite([x, gamma, ...(beta === undefined ? [] : [beta])], y, (dy, needs) => {
    const product = mul(dy, normal);
    const dNormal = mul(dy, gamma);
    const dx = () => {
      const alongNormal = mul(normal, mean(mul(product, gamma), axis, true));
      return mul(sub(sub(dNormal, mean(dNormal, axis, true)), alongNormal), inverse);
    };
    return [
      needs[0] ? dx() : undefined,
      needs[1] ? biasAddGrad(product) : undefined,
      needs[2] ? biasAddGrad(dy) : undefined,
    ];
  });
}

/**
 * softmax(q k^T + bias + mask) v for q [batch, heads, queries, depth], k and v [batch, heads, keys, depth], an additive
 * mask [batch, 1, 1 or queries, keys] and a learnt bias [batch, heads, queries, keys] or none; q is already divided by
 * sqrt(depth). Dropout acts on the probabilities. Batch and heads may change places.
 * The gradient of the softmax needs sum(dP * P) for each query; that sum equals sum(dOutput * output), which is
 * `keys / depth` times cheaper.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor,
  how: Dropout,
  bias?: Tensor,
): Tensor {
  const products = batchMatmul(q, k, { transposeB: true });
  const probabilities = lowered(softmax(add(bias === undefined ? products : add(products, bias), mask)));
  const drawn =
    how === undefined || how.rate === 0 ? undefined : keepMask(how.source, probabilities.shape, how.rate);
  const without = (keep: Tensor, from: Tensor): Tensor => select(keep, from, zeroLike(from));
  const scaled = (x: Tensor): Tensor => (drawn ? mul(x, drawn.scale) : x); // on the small side of the product
  const mixed = batchMatmul(drawn ? without(drawn.keep, probabilities) : probabilities, v);
  const output = scaled(mixed);
  return composite([q, k, v, ...(bias === undefined ? [] : [bias])], output, (dOutput, needs) => {
    // The mask is kept, a quarter of what the dropped probabilities take. Whatever is made of kept tensors waits for the
    // gradient: it would be made as soon as they are there, and be kept too.
    const late = (x: Tensor): Tensor => identity(x, [dOutput.node], 'again');
    const all = late(probabilities);
    const kept = drawn ? without(late(drawn.keep), all) : all;
    const dKept = scaled(dOutput);
    const dv = needs[2] ? batchMatmul(kept, dKept, { transposeA: true }) : undefined;
    if (!needs[0] && !needs[1] && !needs[3]) return [undefined, undefined, dv];
    const rowSum = sum(mul(dKept, late(mixed)), [output.shape.length - 1], true);
    const dProbabilities = batchMatmul(dKept, v, { transposeB: true });
    const dScores = drawn
      ? sub(mul(dProbabilities, kept), mul(all, rowSum))
      : mul(sub(dProbabilities, rowSum), all);
    return [
      needs[0] ? batchMatmul(dScores, k) : undefined,
      needs[1] ? batchMatmul(dScores, q, { transposeA: true }) : undefined,
      dv,
      needs[3] ? dScores : undefined,
    ];
  });
}

function zeroLike(x: Tensor): Tensor {
  return scalar(x.graph, x.dtype, 0);
}
