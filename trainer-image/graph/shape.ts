/** Shape rules. A named dimension equals only itself, and 1 where broadcasting is meant. */
import type { Dim, Shape } from './graph.ts';

/** Shape of an elementwise result (NumPy's broadcasting rule). Throws when the shapes do not fit. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`Shapes [${a.join(', ')}] and [${b.join(', ')}] do not fit together.`);
    }
    result.push(left === 1 ? right : left);
  }
  return result;
}

/** Axes that broadcasting `from` to `to` has added or stretched: the gradient is summed over them. */
export function broadcastAxes(from: Shape, to: Shape): number[] {
  const added = to.length - from.length;
  return to.flatMap((dim, axis) => (axis < added || from[axis - added] !== dim ? [axis] : []));
}

/** Shape after a reduction over `axes`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  return shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [dim]));
}

/** Shape of a (batched) matrix product; `a` and `b` are given as stored, before transposing. */
export function matmulShape(a: Shape, b: Shape, transposeA: boolean, transposeB: boolean): Shape {
  const [rows, innerA] = lastTwo(a, transposeA);
  const [innerB, columns] = lastTwo(b, transposeB);
  const batchA = a.slice(0, -2).join();
  if (innerA !== innerB || batchA !== b.slice(0, -2).join()) {
    throw new Error(
      `Cannot multiply [${a.join(', ')}]${transposeA ? ' transposed' : ''} by [${b.join(', ')}]${transposeB ? ' transposed' : ''}.`,
    );
  }
  return [...a.slice(0, -2), rows, columns];
}

/** Product of dimensions; named ones give a new name such as 'batch*length'. */
export function productDim(dims: Shape): Dim {
  const names = dims.filter((dim) => typeof dim === 'string');
  const size = dims.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
  if (names.length === 0) return size;
  return size === 1 ? names.join('*') : `${size}*${names.join('*')}`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

function lastTwo(shape: Shape, swap: boolean): [Dim, Dim] {
  const [rows, columns] = shape.slice(-2);
  if (rows === undefined || columns === undefined) throw new Error(`[${shape.join(', ')}] is not a matrix.`);
  return swap ? [columns, rows] : [rows, columns];
}
