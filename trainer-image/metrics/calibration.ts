/** How many parts of equal width the probabilities are put into; 15 is usual since Guo et al. 2017. */
const bins = 15;

/**
 * Expected calibration error: among predictions of similar probability, how far is the mean probability from the part
 * that is right, weighted by the rows of each part. 0.1 means that the model is wrong about its own accuracy by 10 %.
 * Equal to torchmetrics' MulticlassCalibrationError (norm l1); test/golden/calibration.py makes the reference.
 * @param rows which rows count, the same row perhaps several times.
 */
export function calibrationError(
  rows: ArrayLike<number>,
  confidence: ArrayLike<number>,
  isRight: (row: number) => boolean,
): number {
  const sure = new Float64Array(bins);
  const right = new Float64Array(bins);
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    const bin = Math.min(bins - 1, Math.floor(confidence[row]! * bins));
    sure[bin]! += confidence[row]!;
    right[bin]! += isRight(row) ? 1 : 0;
  }
  const total = sure.reduce((sum, value, bin) => sum + Math.abs(value - right[bin]!), 0);
  return rows.length === 0 ? 0 : total / rows.length;
}
