import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { type Dataset, loadDataset } from '../data/dataset.ts';
import { loadTokenizer } from '../data/tokenizer.ts';
import { TrainerError } from '../failure.ts';
import { downloadDataset } from '../preflight.ts';
import { downloadFolder } from '../sources/folder.ts';
import { findModelFiles, isModelFile, modelDigest } from '../sources/model-files.ts';
import { openSource } from '../sources/open.ts';
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
  await findModelFiles(modelSource);
  const files = await downloadFolder(modelSource, '', modelDirectory, { only: isModelFile });
  const digest = await modelDigest(
    await openSource({ kind: 'volume', uri: config.model.uri, directory: modelDirectory }),
  );
  refuseChanged('ModelError', `the model at ${config.model.uri}`, digest, config.expected?.modelDigest);
  await downloadDataset(config, await openSource(config.dataset.source), dataDirectory);
  log.info('inputs downloaded', { modelFiles: files.length, modelDigest: digest });

  report({ phase: 'Preparing' });
  const model = await readModelConfig(modelDirectory);
  const tokenizer = await loadTokenizer(modelDirectory, {
    maxLength: config.training.maxLength,
    vocabularySize: model.vocab_size,
    maxPositions: model.max_position_embeddings,
    padTokenId: model.pad_token_id ?? undefined,
  });
  const dataset = await loadDataset(config, dataDirectory, tokenizer);
  refuseChangedSplits(config, dataset);
  return { modelDirectory, modelDigest: digest, modelType: model.model_type, dataDirectory, dataset };
}

function refuseChangedSplits({ dataset: { source }, expected }: RunConfig, { splits }: Dataset): void {
  const place = (split: string) => `the ${split} split of ${source.uri}`;
  refuseChanged('DataError', place('train'), splits.train.digest, expected?.trainDigest);
  refuseChanged('DataError', place('validation'), splits.validation?.digest, expected?.validationDigest);
  refuseChanged('DataError', place('test'), splits.test.digest, expected?.testDigest);
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

const modelConfig = z.looseObject({
  model_type: z.string(),
  vocab_size: z.int().positive(),
  max_position_embeddings: z.int().positive(),
  pad_token_id: z.int().min(0).nullish(),
});

async function readModelConfig(directory: string): Promise<z.infer<typeof modelConfig>> {
  try {
    return modelConfig.parse(JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')));
  } catch (cause) {
    throw new TrainerError(
      'ModelError',
      `config.json cannot be used: ${(cause as Error).message}`,
      'Use the config.json that was published with the weights.',
      { cause },
    );
  }
}
