/** Files, splits, columns, formats and labels of a dataset that the API server accepts and refuses. */
import { accepted, type Case, pattern, refused } from './case.ts';

const train = 'spec.dataset.splits.train';
const heldOut = 'held-out data is needed: set exactly one of splits.test and fractions.test';

export const datasetCases: Record<string, Case> = {
  'a file in a folder': accepted({ [train]: 'v2/train-part.01.jsonl' }),
  'a file name with ..': refused(train, pattern, { [train]: '../secret.jsonl' }),
  'a file name with .. inside': refused(train, pattern, { [train]: 'a/../../secret.jsonl' }),
  'a file name with a leading slash': refused(train, pattern, { [train]: '/etc/passwd' }),
  'a file name with a line break': refused(train, pattern, { [train]: 'train.jsonl\nx' }),
  'a hidden file': refused(train, pattern, { [train]: '.train.jsonl' }),
  'an empty file name': refused(train, 'should be at least 1 chars long', { [train]: '' }),
  'a file name of 513 characters': refused(train, 'may not be more than 512', { [train]: 'x'.repeat(513) }),
  'no held-out data': refused('spec.dataset.splits', heldOut, { 'spec.dataset.splits.test': undefined }),
  'held-out data twice': refused('spec.dataset.splits', heldOut, { 'spec.dataset.fractions.test': '0.1' }),
  'held-out data as a fraction': accepted({
    'spec.dataset.splits.test': undefined,
    'spec.dataset.fractions': { test: '0.1', validation: '0.1' },
  }),
  'validation data twice': refused('spec.dataset.splits', 'at most one of splits.validation', {
    'spec.dataset.splits.validation': 'valid.jsonl',
    'spec.dataset.fractions.validation': '0.1',
  }),
  'a test file that is the train file': refused('spec.dataset.splits.test', 'must differ', {
    'spec.dataset.splits.test': 'train.jsonl',
  }),
  'a validation file that is the train file': refused('spec.dataset.splits.validation', 'must differ', {
    'spec.dataset.splits.validation': 'train.jsonl',
  }),
  'a fraction of nothing': refused('spec.dataset.fractions.validation', 'must be greater than 0', {
    'spec.dataset.fractions.validation': '0.0',
  }),
  'a fraction of everything': refused('spec.dataset.fractions.validation', 'must be less than 1', {
    'spec.dataset.fractions.validation': '1',
  }),
  'a fraction in percent': refused('spec.dataset.fractions.validation', pattern, {
    'spec.dataset.fractions.validation': '10%',
  }),
  'fractions that leave nothing to train on': refused('spec.dataset.fractions', 'leave rows to train on', {
    'spec.dataset.splits.test': undefined,
    'spec.dataset.fractions': { test: '0.5', validation: '0.5' },
  }),
  'text and label in one column': refused('spec.dataset.columns', 'must be two columns', {
    'spec.dataset.columns.text': 'label',
  }),
  'text and label in one column, one of them by its usual name': refused(
    'spec.dataset.columns',
    'text and label must be two columns',
    { 'spec.dataset.columns.label': 'text' },
  ),
  'text and label the other way round': accepted({
    'spec.dataset.columns': { text: 'label', label: 'text' },
  }),
  'a format that does not exist': refused('spec.dataset.format', 'Unsupported value: "XML"', {
    'spec.dataset.format': 'XML',
  }),
  'a TSV file, compressed': accepted({
    'spec.dataset.format': 'TSV',
    [train]: 'train.tsv.zst',
  }),
  'Parquet files': accepted({
    'spec.dataset.format': 'Parquet',
    [train]: 'train.parquet',
  }),
  'a Parquet file that is compressed once more': refused(
    'spec.dataset.splits',
    'a Parquet file is compressed inside',
    { 'spec.dataset.format': 'Parquet', [train]: 'train.parquet.gz' },
  ),
  'a Parquet test file that is compressed once more': refused(
    'spec.dataset.splits',
    'a Parquet file is compressed inside',
    { 'spec.dataset.format': 'Parquet', 'spec.dataset.splits.test': 'test.parquet.zst' },
  ),
  'one label': refused('spec.dataset.labels', 'should have at least 2 items', {
    'spec.dataset.labels': ['spam'],
  }),
  'a label twice': refused('spec.dataset.labels', 'each label may be listed only once', {
    'spec.dataset.labels': ['spam', 'ham', 'spam'],
  }),
  'labels that look like other types': accepted({ 'spec.dataset.labels': ['true', '1', 'null', 'größer'] }),
  '256 labels': accepted({ 'spec.dataset.labels': Array.from({ length: 256 }, (_, i) => `label-${i}`) }),
  '257 labels': refused('spec.dataset.labels', 'must have at most 256 items', {
    'spec.dataset.labels': Array.from({ length: 257 }, (_, i) => `label-${i}`),
  }),

  'slices by columns': accepted({ 'spec.dataset.slices': ['language', 'source'] }),
  'no column of slices': refused('spec.dataset.slices', 'should have at least 1 items', {
    'spec.dataset.slices': [],
  }),
  'five columns of slices': refused('spec.dataset.slices', 'must have at most 4 items', {
    'spec.dataset.slices': ['a', 'b', 'c', 'd', 'e'],
  }),
  'a column of slices twice': refused('spec.dataset.slices[1]', 'Duplicate value', {
    'spec.dataset.slices': ['language', 'language'],
  }),
  'a column of slices without a name': refused('spec.dataset.slices[0]', 'should be at least 1 chars long', {
    'spec.dataset.slices': [''],
  }),
  'slices of a plain text': refused('spec.dataset.slices', 'a Text file has no columns', {
    'spec.task': 'MaskedLM',
    'spec.dataset.format': 'Text',
    'spec.dataset.slices': ['source'],
  }),
};
