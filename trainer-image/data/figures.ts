import { maxListedLabels, type PreflightReport } from '../../crds/trainer-contract.ts';
import type { EncodedSplit } from './encoded.ts';
import { countNearDuplicates, countNearLeaked } from './near-duplicates.ts';
import type { ReportedData } from './report.ts';
import {
  countConflicting,
  countDuplicates,
  countLabels,
  countLeaked,
  countLost,
  countTruncated,
  lengthRuleAccuracy,
  unknownShare,
} from './statistics.ts';

type SplitReport = PreflightReport['splits']['train'];

/** What the warnings are made from. */
export type DataFigures = Pick<
  PreflightReport,
  'splits' | 'conflictingRows' | 'unknownTokenShare' | 'lengthRuleAccuracy'
> & {
  /** Rows of the held-out splits that are in train, or nearly. */
  leaked: { test: number; validation: number };
  nearLeaked: { test: number; validation: number };
};

/** All figures of the report. Time and memory grow linearly with the rows. */
export function figuresOf(dataset: ReportedData): DataFigures {
  const { task, labels, splits } = dataset;
  const { train, validation, test } = splits;
  const heldOut = (count: (split: EncodedSplit, train: EncodedSplit) => number) => ({
    test: count(test, train),
    validation: validation === undefined ? 0 : count(validation, train),
  });
  return {
    splits: {
      train: splitReport(train, dataset),
      ...(validation === undefined ? {} : { validation: splitReport(validation, dataset) }),
      test: splitReport(test, dataset),
    },
    leaked: heldOut(countLeaked),
    nearLeaked: heldOut(countNearLeaked),
    conflictingRows: countConflicting(train),
    unknownTokenShare: unknownShare(train),
    // Only a label of the whole text can follow from its length.
    ...(task.labelled === 'row' && { lengthRuleAccuracy: lengthRuleAccuracy(train, labels.length) }),
  };
}

function splitReport(split: EncodedSplit, { task, labels }: ReportedData): SplitReport {
  const counts = Array.from(countLabels(split, labels.length), (rows, id): [string, number] => [
    labels[id] as string,
    rows,
  ]);
  return {
    rows: split.rows,
    digest: split.digest,
    truncatedRows: countTruncated(split),
    duplicateRows: countDuplicates(split),
    nearDuplicateRows: countNearDuplicates(split),
    ...(task.labelled === 'word' && { lostWords: countLost(split) }),
    labels: counts.sort((a, b) => b[1] - a[1]).slice(0, maxListedLabels),
  };
}
