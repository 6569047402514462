import { join } from 'node:path';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { type Dataset, loadDataset } from '../data/dataset.ts';
import { TrainerError } from '../failure.ts';
import { readArchitecture } from '../model/architecture.ts';
import { labelsOfConfig } from '../model/config-labels.ts';
import { downloadDataset, loadModelTokenizer } from '../preflight.ts';
import { fetchModel, findModelFiles, modelDigest } from '../sources/model-files.ts';
import { openSource } from '../sources/open.ts';
import { taskOf } from '../tasks/tasks.ts';
import type { Context } from './context.ts';

/** Model and data on the local disk, the data encoded; both are what preflight saw. */
export type Inputs = {
  modelDirectory: string;
  modelDigest: string;
  modelType: string;
  dataDirectory: string;
  dataset: Dataset;
};

/**
 * Downloads model and data and encodes the data.
 * @throws TrainerError ModelError or DataError when they changed since preflight
 */
export async function openInputs({ config, workDirectory, report, log }: Context): Promise<Inputs> {
  report({ phase: 'Downloading' });
  const modelDirectory = join(workDirectory, 'model');
  const dataDirectory = join(workDirectory, 'data');
  const modelSource = await openSource(config.model);
  const files = await findModelFiles(modelSource);
  await fetchModel(modelSource, files, modelDirectory);
  // Of what will be read: the files behind the links, or the copies.
  const { uri } = config.model;
  const read = modelSource.placesLinks
    ? modelSource
    : await openSource({ kind: 'volume', uri, directory: modelDirectory });
  const digest = await modelDigest(read);
  refuseChanged('ModelError', `the model at ${uri}`, digest, config.expected?.modelDigest);
  await downloadDataset(config, await openSource(config.dataset.source), dataDirectory);
  const modelFiles = files.weights.length + files.small.length;
  log.info('inputs downloaded', { modelFiles, modelDigest: digest });

  report({ phase: 'Preparing' });
  const model = readArchitecture(modelDirectory, { task: config.task, labels: 1 });
  const tokenizer = await loadModelTokenizer(config, model, modelDirectory);
  const dataset = await loadDataset(config, taskOf(config), {
    directory: dataDirectory,
    encoded: join(workDirectory, 'encoded'),
    tokenizer,
    modelLabels: labelsOfConfig(model.raw),
  });
  refuseChangedSplits(config, dataset);
  return {
    modelDirectory,
    modelDigest: digest,
    modelType: model.architecture.modelType,
    dataDirectory,
    dataset,
  };
}

function refuseChangedSplits({ dataset: { source }, expected }: RunConfig, { texts }: Dataset): void {
  const place = (split: string) => `the ${split} split of ${source.uri}`;
  refuseChanged('DataError', place('train'), texts.train.digest, expected?.trainDigest);
  refuseChanged('DataError', place('validation'), texts.validation?.digest, expected?.validationDigest);
  refuseChanged('DataError', place('test'), texts.test.digest, expected?.testDigest);
}

function refuseChanged(
  category: 'ModelError' | 'DataError',
  what: string,
  found: string | undefined,
  expected: string | undefined,
): void {
  if (expected === undefined || found === expected) return;
  throw new TrainerError(
    category,
    `${what[0]?.toUpperCase()}${what.slice(1)} changed since preflight: its digest is ${found}, preflight saw ${expected}.`,
    'Leave model and data alone while a job runs. Set a new runId to train on the new content.',
  );
}
