import type { PreflightReport } from '../../crds/trainer-contract.ts';
import type { Dataset } from './dataset.ts';
import { figuresOf } from './figures.ts';
import { quantile } from './statistics.ts';
import { dataWarnings } from './warnings.ts';

export type DataReport = Pick<
  PreflightReport,
  | 'splits'
  | 'labels'
  | 'tokens'
  | 'leakedRows'
  | 'nearLeakedRows'
  | 'conflictingRows'
  | 'unknownTokenShare'
  | 'lengthRuleAccuracy'
  | 'warnings'
>;
/** Splits of whole texts with their task. */
export type ReportedData = Pick<Dataset, 'task' | 'labels' | 'splits' | 'slices'>;

/**
 * What a person should know about the data before trusting a model trained on it.
 * @param headLabels those that the classifier of the base model was trained for, if it has one.
 */
export function dataReport(dataset: ReportedData, headLabels?: readonly string[]): DataReport {
  const { labels, splits } = dataset;
  const lengths = splits.train.fullLengths.slice().sort();
  const { leaked, nearLeaked, ...figures } = figuresOf(dataset);
  return {
    ...figures,
    labels: labels.length,
    tokens: { median: quantile(lengths, 0.5), p95: quantile(lengths, 0.95), max: quantile(lengths, 1) },
    leakedRows: leaked.test,
    nearLeakedRows: nearLeaked.test,
    warnings: dataWarnings(dataset, { leaked, nearLeaked, ...figures }, headLabels),
  };
}

/**
 * Makes a report fit into `maxBytes` of JSON: long label lists lose their rarest labels first, then the last warnings
 * go. The termination message has 4096 bytes for everything.
 */
export function fitReport(report: PreflightReport, maxBytes: number): PreflightReport {
  const fitted = structuredClone(report);
  const lists = [fitted.splits.train, fitted.splits.validation, fitted.splits.test]
    .filter((split) => split !== undefined)
    .map((split) => split.labels);
  const size = () => Buffer.byteLength(JSON.stringify(fitted));
  while (size() > maxBytes) {
    const longest = lists.reduce((a, b) => (b.length > a.length ? b : a));
    if (longest.length > 0) longest.pop();
    else if (fitted.warnings.length > 0) fitted.warnings.pop();
    else break;
  }
  return fitted;
}
