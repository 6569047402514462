/** FineTuneJobs whose fields fit their task or do not: columns, labels, masking, and the metrics of gate and early stopping. */
import { accepted, type Case, refused } from './case.ts';

const training = (field: string, value: unknown) => ({ [`spec.training.${field}`]: value });
const tags = { 'spec.task': 'TokenClassification' };
const masked = { 'spec.task': 'MaskedLM' };
const several = { 'spec.problemType': 'MultiLabelClassification' };
const number = { 'spec.problemType': 'Regression' };
const validated = { 'spec.dataset.fractions.validation': '0.1' };

export const taskCases: Record<string, Case> = {
  'words and tags': accepted({ ...tags, 'spec.dataset.columns': { tokens: 'words', tags: 'ner' } }),
  'words and tags by their usual names': accepted(tags),
  'words and tags in a Parquet file': accepted({ ...tags, 'spec.dataset.format': 'Parquet' }),
  'words and tags in one column': refused('spec.dataset.columns', 'tokens and tags must be two columns', {
    ...tags,
    'spec.dataset.columns.tags': 'tokens',
  }),
  'words and tags in a CSV file': refused(
    'spec.dataset.format',
    'TokenClassification reads lists, which only JSONL and Parquet can hold',
    {
      ...tags,
      'spec.dataset.format': 'CSV',
    },
  ),
  'a column of text for words and tags': refused(
    'spec.dataset.columns',
    'TokenClassification reads only these columns: tokens, tags',
    { ...tags, 'spec.dataset.columns.text': 'text' },
  ),
  'a column of tags for a text with a label': refused(
    'spec.dataset.columns',
    'SingleLabelClassification reads only these columns: text, label, text2',
    { 'spec.dataset.columns.tags': 'tags' },
  ),
  'texts without labels': accepted({ ...masked, 'spec.dataset.columns.text': 'body' }),
  'texts without labels in a CSV file': accepted({ ...masked, 'spec.dataset.format': 'CSV' }),
  'texts without labels, one a line': accepted({ ...masked, 'spec.dataset.format': 'Text' }),
  'a column in a plain text': refused('spec.dataset.columns', 'a Text file has no columns', {
    ...masked,
    'spec.dataset.format': 'Text',
    'spec.dataset.columns.text': 'body',
  }),
  'a plain text for a task with labels': refused('spec.dataset.format', 'only MaskedLM reads it', {
    'spec.dataset.format': 'Text',
  }),
  'a column of labels for masked tokens': refused(
    'spec.dataset.columns',
    'MaskedLM reads only these columns: text',
    { ...masked, 'spec.dataset.columns.label': 'label' },
  ),
  'labels for masked tokens': refused('spec.dataset.labels', 'MaskedLM has no labels', {
    ...masked,
    'spec.dataset.labels': ['a', 'b'],
  }),
  'tags in the order of their ids': accepted({ ...tags, 'spec.dataset.labels': ['O', 'B-PER', 'I-PER'] }),
  masking: accepted({ ...masked, ...training('masking', { probability: '0.3', wholeWord: true }) }),
  'masking of nothing': refused('spec.training.masking.probability', 'must be greater than 0', {
    ...masked,
    ...training('masking', { probability: '0' }),
  }),
  'masking of everything': refused('spec.training.masking.probability', 'must be less than 1', {
    ...masked,
    ...training('masking', { probability: '1' }),
  }),
  'wrapped texts': accepted({ ...masked, ...training('packing', 'Wrapped') }),
  'wrapped texts with labels': refused(
    'spec.training.packing',
    'only MaskedLM can learn from',
    training('packing', 'Wrapped'),
  ),
  'windows over long texts': accepted({ ...tags, ...training('stride', 64) }),
  'windows of text to guess': accepted({ ...masked, ...training('stride', 0) }),
  'windows that share all': refused('spec.training.stride', 'stride must be less than maxLength', {
    ...tags,
    'spec.training': { maxLength: 64, stride: 64 },
  }),
  'windows where the whole text has the label': refused(
    'spec.training.stride',
    'only TokenClassification and MaskedLM read a text in several windows',
    { ...training('stride', 16) },
  ),
  'windows over wrapped texts': refused('spec.training.stride', 'wrapped texts have no windows', {
    ...masked,
    'spec.training': { packing: 'Wrapped', stride: 16 },
  }),
  'masking without masked tokens': refused('spec.training.masking', 'only MaskedLM masks tokens', {
    ...training('masking', {}),
  }),
  'a gate on the loss from below': refused(
    'spec.gate.minimum',
    'less is better of loss, ece, perplexity, rmse: set maximum',
    {
      'spec.gate': { metric: 'loss', minimum: '0.9' },
    },
  ),
  'a gate on the loss from above': accepted({ 'spec.gate': { metric: 'loss', maximum: '0.9' } }),
  'a gate on the F1 from above': refused('spec.gate.maximum', 'more of this metric is better', {
    'spec.gate': { metric: 'f1', maximum: '0.9' },
  }),
  'a gate on perplexity, value and gain': accepted({
    ...masked,
    'spec.gate': { metric: 'perplexity', maximum: '12.5', minimumGainOverBaseline: '3' },
  }),
  'a gain of accuracy above 1': refused('spec.gate.minimumGainOverBaseline', 'goes from 0 to 1', {
    'spec.gate': { metric: 'accuracy', minimumGainOverBaseline: '2' },
  }),
  'a gate on a metric of another task': refused(
    'spec.gate.metric',
    'MaskedLM has these metrics: loss, perplexity, accuracy',
    { ...masked, 'spec.gate': { metric: 'f1', minimum: '0.9' } },
  ),
  'a gate on strict entities': accepted({ ...tags, 'spec.gate': { metric: 'strictF1', minimum: '0.8' } }),
  'a gate on a metric that only other tasks have': refused(
    'spec.gate.metric',
    'SingleLabelClassification has these metrics: accuracy, f1, weightedF1, ece, loss',
    { 'spec.gate': { metric: 'recall', minimum: '0.9' } },
  ),
  'early stopping on a metric of another task': refused(
    'spec.training.earlyStopping.metric',
    'TokenClassification has these metrics: f1, precision, recall, strictF1, accuracy, loss',
    { ...tags, ...validated, ...training('earlyStopping', { metric: 'weightedF1' }) },
  ),
  'early stopping on the recall of entities': accepted({
    ...tags,
    ...validated,
    ...training('earlyStopping', { metric: 'recall' }),
  }),

  'pairs of texts': accepted({ 'spec.dataset.columns': { text2: 'answer' } }),
  'a text paired with itself': refused('spec.dataset.columns', 'text and text2 must be two columns', {
    'spec.dataset.columns.text2': 'text',
  }),
  'a text paired with its label': refused('spec.dataset.columns', 'label and text2 must be two columns', {
    'spec.dataset.columns.text2': 'label',
  }),
  'the usual problem type, named': accepted({ 'spec.problemType': 'SingleLabelClassification' }),
  'a problem type that does not exist': refused('spec.problemType', 'Unsupported value: "Poetry"', {
    'spec.problemType': 'Poetry',
  }),
  'a problem type for masked tokens': refused('spec.problemType', 'only SequenceClassification has', {
    ...masked,
    ...number,
  }),
  'several labels a text': accepted({
    ...several,
    'spec.dataset.labels': ['billing', 'bug', 'praise'],
    'spec.gate': { metric: 'microF1', minimum: '0.7' },
  }),
  'several labels a text in a CSV file': refused(
    'spec.dataset.format',
    'MultiLabelClassification reads lists, which only JSONL and Parquet can hold',
    { ...several, 'spec.dataset.format': 'CSV' },
  ),
  'several labels a text with the metrics of one': refused(
    'spec.gate.metric',
    'MultiLabelClassification has these metrics: microF1, f1, accuracy, loss',
    { ...several, 'spec.gate': { metric: 'weightedF1', minimum: '0.7' } },
  ),
  'tags for several labels a text': refused(
    'spec.dataset.columns',
    'MultiLabelClassification reads only these columns: text, label, text2',
    { ...several, 'spec.dataset.columns.tags': 'tags' },
  ),
  'numbers in a CSV file': accepted({ ...number, 'spec.dataset.format': 'CSV' }),
  'numbers with a gate on the error': accepted({
    ...number,
    'spec.gate': { metric: 'rmse', maximum: '0.5' },
  }),
  'numbers with labels': refused('spec.dataset.labels', 'Regression has no labels', {
    ...number,
    'spec.dataset.labels': ['1', '2'],
  }),
  'numbers with a gate on accuracy': refused(
    'spec.gate.metric',
    'Regression has these metrics: pearson, spearman, rmse, loss',
    { ...number, 'spec.gate': { metric: 'accuracy', minimum: '0.7' } },
  ),
  'tokens for numbers': refused(
    'spec.dataset.columns',
    'Regression reads only these columns: text, label, text2',
    { ...number, 'spec.dataset.columns.tokens': 'tokens' },
  ),

  'smooth tags': accepted({ ...tags, ...training('labelSmoothing', '0.1') }),
  'smooth numbers': refused('spec.training.labelSmoothing', 'Regression has no labels to smooth', {
    ...number,
    ...training('labelSmoothing', '0.1'),
  }),
  'R-Drop of numbers': refused(
    'spec.training.rDropAlpha',
    'Regression predicts no distribution over classes',
    {
      ...number,
      ...training('rDropAlpha', '0.5'),
    },
  ),
  'R-Drop of sets of labels': refused(
    'spec.training.rDropAlpha',
    'MultiLabelClassification predicts no distribution over classes',
    { ...several, ...training('rDropAlpha', '0.5') },
  ),
  'R-Drop of tags': accepted({ ...tags, ...training('rDropAlpha', '0.5') }),
  'smooth sets of labels': refused(
    'spec.training.labelSmoothing',
    'MultiLabelClassification has no labels to smooth',
    { ...several, ...training('labelSmoothing', '0.1') },
  ),

  'weights and focal loss against imbalance': accepted({
    ...training('classWeights', 'Balanced'),
    ...training('focalLossGamma', '2'),
  }),
  'weights that do not exist': refused('spec.training.classWeights', 'Unsupported value: "Fair"', {
    ...training('classWeights', 'Fair'),
  }),
  'a focal loss beyond reason': refused('spec.training.focalLossGamma', 'must be at most 10', {
    ...training('focalLossGamma', '11'),
  }),
  'weights of tags': refused('spec.training.classWeights', 'classWeights is for SingleLabelClassification', {
    ...tags,
    ...training('classWeights', 'Balanced'),
  }),
  'focal loss of numbers': refused(
    'spec.training.focalLossGamma',
    'focalLossGamma is for SingleLabelClassification',
    { ...number, ...training('focalLossGamma', '2') },
  ),
  'weights of smooth labels': refused(
    'spec.training.classWeights',
    'set only one of classWeights and labelSmoothing',
    { ...training('classWeights', 'Balanced'), ...training('labelSmoothing', '0.1') },
  ),
  'focal loss of smooth labels': refused(
    'spec.training.focalLossGamma',
    'set only one of focalLossGamma and labelSmoothing',
    { ...training('focalLossGamma', '2'), ...training('labelSmoothing', '0.1') },
  ),
};
