/** FineTuneJobs that the API server accepts and refuses: a sentence, the changes to the smallest valid job, the answer. */
import { accepted, type Case, pattern, refused } from './case.ts';
import { datasetCases } from './dataset-cases.ts';
import { gateCases } from './gate-cases.ts';
import { taskCases } from './task-cases.ts';

const training = (field: string, value: unknown) => ({ [`spec.training.${field}`]: value });
const claim = { claimName: 'data', path: 'sets/emails' };
const oneSource = 'set exactly one of s3 and persistentVolumeClaim';

export const jobCases: Record<string, Case> = {
  'the smallest job': accepted({}),
  'a task that does not exist': refused('spec.task', 'Unsupported value: "Poetry"', {
    'spec.task': 'Poetry',
  }),
  'no task': refused('spec.task', 'Required value', { 'spec.task': undefined }),
  'no model': refused('spec.model', 'Required value', { 'spec.model': undefined }),
  'no dataset': refused('spec.dataset', 'Required value', { 'spec.dataset': undefined }),
  'no output': refused('spec.output', 'Required value', { 'spec.output': undefined }),
  'no spec at all': refused('spec', 'Required value', { spec: undefined }),
  'a spec that is a string': refused('spec', 'must be of type object', { spec: 'train' }),
  'a field that does not exist': refused('', 'unknown field "spec.epochs"', { 'spec.epochs': '3' }),
  'a field that does not exist, deeper': refused('', 'unknown field "spec.training.lr"', training('lr', '1')),
  'a name of 63 characters': accepted({ 'metadata.name': 'n'.repeat(63) }),
  'a name of 64 characters': refused('<nil>', 'at most 63 characters', {
    'metadata.name': 'n'.repeat(64),
  }),

  'a source without members': refused('spec.model', oneSource, { 'spec.model': {} }),
  'a source with both members': refused('spec.model', oneSource, {
    'spec.model.persistentVolumeClaim': claim,
  }),
  'an output with both members': refused('spec.output', oneSource, {
    'spec.output.persistentVolumeClaim': claim,
  }),
  'a dataset on a claim': accepted({ 'spec.dataset.source': { persistentVolumeClaim: claim } }),
  'a source of an unknown kind': refused('', 'unknown field "spec.model.ftp"', {
    'spec.model': { ftp: { host: 'x' } },
  }),
  'an endpoint without a scheme': refused('spec.model.s3.endpoint', pattern, {
    'spec.model.s3.endpoint': 's3.example.com',
  }),
  'an endpoint with a path': refused('spec.model.s3.endpoint', pattern, {
    'spec.model.s3.endpoint': 'https://s3.example.com/bucket',
  }),
  'a bucket with upper case': refused('spec.model.s3.bucket', pattern, { 'spec.model.s3.bucket': 'Team-A' }),
  'a bucket of two characters': refused('spec.model.s3.bucket', 'should be at least 3 chars long', {
    'spec.model.s3.bucket': 'ab',
  }),
  'a prefix with a leading slash': refused('spec.model.s3.prefix', pattern, {
    'spec.model.s3.prefix': '/models',
  }),
  'a prefix with a slash at the end': refused('spec.model.s3.prefix', pattern, {
    'spec.model.s3.prefix': 'models/',
  }),
  'no prefix: the whole bucket': accepted({ 'spec.model.s3.prefix': undefined }),
  'a secret without a name': refused('spec.model.s3.credentialsSecretRef.name', 'Required value', {
    'spec.model.s3.credentialsSecretRef': {},
  }),
  'a path on a claim that climbs out': refused('spec.dataset.source.persistentVolumeClaim.path', pattern, {
    'spec.dataset.source': { persistentVolumeClaim: { claimName: 'data', path: 'a/../../b' } },
  }),

  'a decimal with an exponent': accepted(training('learningRate', '3.5E-05')),
  'a decimal as a number': refused(
    'spec.training.learningRate',
    'must be of type string',
    training('learningRate', 0.1),
  ),
  'a negative decimal': refused('spec.training.learningRate', pattern, training('learningRate', '-1e-5')),
  'a decimal without a leading digit': refused(
    'spec.training.learningRate',
    pattern,
    training('learningRate', '.1'),
  ),
  'not a number': refused('spec.training.learningRate', pattern, training('learningRate', 'NaN')),
  infinity: refused('spec.training.weightDecay', pattern, training('weightDecay', 'Infinity')),
  'a decimal of 25 characters': refused(
    'spec.training.maxGradNorm',
    'may not be more than 24',
    training('maxGradNorm', `0.${'1'.repeat(23)}`),
  ),
  'a learning rate of zero': refused(
    'spec.training.learningRate',
    'must be greater than 0',
    training('learningRate', '0e0'),
  ),
  'no epoch': refused('spec.training.epochs', 'must be greater than 0', training('epochs', '0')),
  'half an epoch': accepted(training('epochs', '0.5')),
  'more than a thousand epochs': refused(
    'spec.training.epochs',
    'must be at most 1000',
    training('epochs', '1e9'),
  ),
  'clipping switched off': accepted(training('maxGradNorm', '0')),
  'a warm-up of a broken number of steps': refused(
    'spec.training.warmup',
    pattern,
    training('warmup', '1.1'),
  ),
  'a warm-up over a part of the steps': accepted(training('warmup', '0.125')),
  'a warm-up over a number of steps': accepted(training('warmup', '500')),
  'restarts of a schedule that has none': refused(
    'spec.training.cosineWithRestarts',
    'only with schedule: CosineWithRestarts',
    { ...training('schedule', 'Cosine'), ...training('cosineWithRestarts', { numCycles: 2 }) },
  ),
  'a cosine with restarts': accepted({
    ...training('schedule', 'CosineWithRestarts'),
    ...training('cosineWithRestarts', { numCycles: 2 }),
  }),
  'a power of a schedule that has none': refused(
    'spec.training.polynomial',
    'only with schedule: Polynomial',
    training('polynomial', { power: '2' }),
  ),
  'a polynomial': accepted({
    ...training('schedule', 'Polynomial'),
    ...training('polynomial', { power: '2.5', endLearningRate: '1e-6' }),
  }),
  'a polynomial that ends above its peak': refused(
    'spec.training.polynomial.endLearningRate',
    'must be less than learningRate',
    { ...training('schedule', 'Polynomial'), ...training('polynomial', { endLearningRate: '5e-5' }) },
  ),
  'a polynomial of power zero': refused('spec.training.polynomial.power', 'must be greater than 0', {
    ...training('schedule', 'Polynomial'),
    ...training('polynomial', { power: '0' }),
  }),
  'a polynomial of power 101': refused('spec.training.polynomial.power', 'must be at most 100', {
    ...training('schedule', 'Polynomial'),
    ...training('polynomial', { power: '101' }),
  }),
  'a plateau without validation data': refused(
    'spec.training.schedule',
    'needs a validation split',
    training('schedule', 'ReduceLROnPlateau'),
  ),
  'a plateau with validation data': accepted({
    ...training('schedule', 'ReduceLROnPlateau'),
    ...training('reduceLROnPlateau', { factor: '0.5', patience: 0, minLearningRate: '1e-6' }),
    'spec.dataset.fractions.validation': '0.1',
  }),
  'plateau settings of another schedule': refused(
    'spec.training.reduceLROnPlateau',
    'only with schedule: ReduceLROnPlateau',
    training('reduceLROnPlateau', {}),
  ),
  'a plateau that lowers to zero': refused(
    'spec.training.reduceLROnPlateau.factor',
    'must be greater than 0',
    {
      ...training('schedule', 'ReduceLROnPlateau'),
      ...training('reduceLROnPlateau', { factor: '0' }),
      'spec.dataset.fractions.validation': '0.1',
    },
  ),
  'a plateau that lowers nothing': refused('spec.training.reduceLROnPlateau.factor', 'must be less than 1', {
    ...training('schedule', 'ReduceLROnPlateau'),
    ...training('reduceLROnPlateau', { factor: '1' }),
    'spec.dataset.fractions.validation': '0.1',
  }),
  'dropout of everything': refused('spec.training.dropout', 'must be less than 1', training('dropout', '1')),
  'an empty batch': refused(
    'spec.training.batchSize',
    'greater than or equal to 1',
    training('batchSize', 0),
  ),
  'a batch of 1025': refused(
    'spec.training.batchSize',
    'less than or equal to 1024',
    training('batchSize', 1025),
  ),
  'half a row': refused('spec.training.batchSize', 'must be of type integer', training('batchSize', 1.5)),
  'a batch size in quotes': refused(
    'spec.training.batchSize',
    'must be of type integer',
    training('batchSize', '16'),
  ),
  'no batch in a step': refused(
    'spec.training.gradientAccumulationSteps',
    'greater than or equal to 1',
    training('gradientAccumulationSteps', 0),
  ),
  'momentum for AdamW': refused(
    'spec.training.sgd',
    'only with optimizer: SGD',
    training('sgd', { momentum: '0.9' }),
  ),
  'momentum for SGD': accepted({
    ...training('optimizer', 'SGD'),
    ...training('sgd', { momentum: '0.9' }),
  }),
  'momentum of everything': refused('spec.training.sgd.momentum', 'must be less than 1', {
    ...training('optimizer', 'SGD'),
    ...training('sgd', { momentum: '1' }),
  }),
  'labels smoothed away': refused(
    'spec.training.labelSmoothing',
    'must be less than 1',
    training('labelSmoothing', '1'),
  ),
  'frozen parts': accepted(
    training('freeze', ['bert.embeddings', 'bert.encoder.layer.0-3', '*.*.layer.5.output']),
  ),
  'a frozen part as a regular expression': refused(
    'spec.training.freeze[0]',
    pattern,
    training('freeze', ['bert.(a+)+$']),
  ),
  'a frozen part with an empty part': refused(
    'spec.training.freeze[0]',
    pattern,
    training('freeze', ['bert..layer']),
  ),
  'an empty list of frozen parts': refused(
    'spec.training.freeze',
    'should have at least 1 items',
    training('freeze', []),
  ),
  '65 frozen parts': refused(
    'spec.training.freeze',
    'must have at most 64 items',
    training(
      'freeze',
      Array.from({ length: 65 }, (_, i) => `bert.encoder.layer.${i}`),
    ),
  ),
  'a layer-wise decay of one': accepted(training('layerwiseLearningRateDecay', '1')),
  'layers that learn nothing': refused(
    'spec.training.layerwiseLearningRateDecay',
    'must be greater than 0',
    training('layerwiseLearningRateDecay', '0'),
  ),
  'gradient checkpointing in quotes': refused(
    'spec.training.gradientCheckpointing',
    'must be of type boolean',
    training('gradientCheckpointing', 'true'),
  ),
  'products in bfloat16': accepted(training('bf16', true)),
  'bfloat16 by another name': refused(
    'spec.training.bf16',
    'must be of type boolean',
    training('bf16', 'bfloat16'),
  ),
  'packed texts': accepted(training('packing', 'BestFitDecreasing')),
  'unknown packing': refused('spec.training.packing', 'Unsupported value', training('packing', 'true')),
  'a budget of tokens': accepted({
    ...training('trainSamplingStrategy', 'TokenBudget'),
    ...training('packing', 'None'),
  }),
  'unknown sampling': refused(
    'spec.training.trainSamplingStrategy',
    'Unsupported value',
    training('trainSamplingStrategy', 'random'),
  ),
  'a budget of tokens for rows that are full': refused('spec.training.packing', 'packed rows are all full', {
    ...training('trainSamplingStrategy', 'TokenBudget'),
    ...training('packing', 'BestFitDecreasing'),
  }),
  'R-Drop': accepted({ ...training('rDropAlpha', '1'), ...training('dropout', '0.1') }),
  'R-Drop without dropout': refused('spec.training.rDropAlpha', 'no effect without dropout', {
    ...training('rDropAlpha', '1'),
    ...training('dropout', '0.0'),
  }),
  'R-Drop that weighs nothing': refused(
    'spec.training.rDropAlpha',
    'must be greater than 0',
    training('rDropAlpha', '0'),
  ),
  'R-Drop that outweighs everything': refused(
    'spec.training.rDropAlpha',
    'must be at most 100',
    training('rDropAlpha', '101'),
  ),
  'a moving average': accepted(training('ema', {})),
  'a moving average of its own decay': accepted(training('ema', { decay: '0.99' })),
  'an average that never moves': refused(
    'spec.training.ema.decay',
    'must be less than 1',
    training('ema', { decay: '1' }),
  ),
  'an average that is none': refused(
    'spec.training.ema.decay',
    'must be greater than 0',
    training('ema', { decay: '0' }),
  ),
  'a seed beyond 32 bits': refused(
    'spec.training.seed',
    'less than or equal to 2147483647',
    training('seed', 2 ** 31),
  ),
  'a schedule in lower case': refused(
    'spec.training.schedule',
    'Unsupported value: "linear"',
    training('schedule', 'linear'),
  ),
  'a null where a default is': accepted(training('batchSize', null)),
  'early stopping without validation data': refused(
    'spec.training.earlyStopping',
    'needs a validation split',
    training('earlyStopping', {}),
  ),
  'early stopping with validation data': accepted({
    ...training('earlyStopping', {}),
    'spec.dataset.fractions.validation': '0.1',
  }),

  'no checkpoint kept': refused('spec.checkpoints.keep', 'greater than or equal to 1', {
    'spec.checkpoints.keep': 0,
  }),
  'nine accelerators': refused('spec.resources.gpus', 'less than or equal to 8', {
    'spec.resources.gpus': 9,
  }),
  'no accelerator': accepted({ 'spec.resources.gpus': 0 }),
  'memory without a unit': refused('spec.resources.memory', 'without a unit the number is in bytes', {
    'spec.resources.memory': '8',
  }),
  'memory with an unknown unit': refused('spec.resources.memory', pattern, {
    'spec.resources.memory': '8GB',
  }),
  'a millionth of a CPU': refused('spec.resources.cpu', 'must be at least 10m', {
    'spec.resources.cpu': '1m',
  }),
  'a runtime name with a slash': refused('spec.runtimeRef.name', pattern, { 'spec.runtimeRef.name': 'a/b' }),
  'a negative retry limit': refused('spec.retry.limit', 'greater than or equal to 0', {
    'spec.retry.limit': -1,
  }),
  'more retries with smaller batches than make sense': refused(
    'spec.retry.outOfMemoryLimit',
    'less than or equal to 10',
    { 'spec.retry.outOfMemoryLimit': 11 },
  ),
  'a job of another controller': accepted({ 'spec.managedBy': 'kueue.x-k8s.io/multikueue' }),
  'a controller without a domain': refused('spec.managedBy', pattern, { 'spec.managedBy': 'multikueue' }),
  'a runId in upper case': refused('spec.runId', pattern, { 'spec.runId': 'Run2' }),
  'a runId of 33 characters': refused('spec.runId', 'may not be more than 32', {
    'spec.runId': 'r'.repeat(33),
  }),
  'deadlines and a budget': accepted({
    'spec.activeDeadlineSeconds': 3600,
    'spec.pendingDeadlineSeconds': 600,
    'spec.budget': { maxGpuHours: '2.5', maxCost: '10' },
  }),
  'a deadline of no time': refused('spec.activeDeadlineSeconds', 'greater than or equal to 1', {
    'spec.activeDeadlineSeconds': 0,
  }),
  'no time to wait': refused('spec.pendingDeadlineSeconds', 'greater than or equal to 1', {
    'spec.pendingDeadlineSeconds': 0,
  }),
  'a budget without an amount': refused('spec.budget', 'set maxGpuHours, maxCost or both', {
    'spec.budget': {},
  }),
  'a budget of nothing': refused('spec.budget.maxGpuHours', 'must be greater than 0', {
    'spec.budget': { maxGpuHours: '0' },
  }),
  'a budget with a currency': refused('spec.budget.maxCost', pattern, {
    'spec.budget': { maxCost: '5 EUR' },
  }),
  'a budget beyond all sense': refused('spec.budget.maxCost', 'must be at most 1000000000', {
    'spec.budget': { maxCost: '1e10' },
  }),
  'a budget without an accelerator': refused('spec.budget', 'resources.gpus is 0', {
    'spec.budget': { maxGpuHours: '1' },
    'spec.resources.gpus': 0,
  }),
  'cancelled from birth': accepted({ 'spec.cancel': true }),
  'a time to live of nothing': accepted({ 'spec.ttlSecondsAfterFinished': 0 }),
  'a negative time to live': refused('spec.ttlSecondsAfterFinished', 'greater than or equal to 0', {
    'spec.ttlSecondsAfterFinished': -1,
  }),
  'suspend in quotes': refused('spec.suspend', 'must be of type boolean', { 'spec.suspend': 'true' }),

  ...datasetCases,
  ...gateCases,
  ...taskCases,
};
