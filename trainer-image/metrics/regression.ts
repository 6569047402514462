/** Scores of predicted numbers, equal to scipy's pearsonr and spearmanr and numpy; test/golden/metrics.py makes the reference. */

export function regressionScores(actual: ArrayLike<number>, predicted: ArrayLike<number>) {
  const squares = Array.from(actual, (value, row) => (value - predicted[row]!) ** 2);
  return {
    pearson: pearson(actual, predicted),
    spearman: pearson(ranks(actual), ranks(predicted)),
    rmse: Math.sqrt(mean(squares)),
  };
}

/** Correlation of two lists; 0 where one of them is constant, since nothing can be said then. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [product, squareA, squareB] = [0, 0, 0];
  for (let row = 0; row < a.length; row++) {
    const [x, y] = [a[row]! - meanA, b[row]! - meanB];
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  const scale = Math.sqrt(squareA) * Math.sqrt(squareB);
  return scale === 0 ? 0 : Math.min(1, Math.max(-1, product / scale));
}

/** Rank of each value from 1; equal values share the mean of their ranks. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, row) => row).sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (const row of order.slice(start, end)) result[row] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let row = 0; row < values.length; row++) sum += values[row]!;
  return values.length === 0 ? 0 : sum / values.length;
}
