/**
 * Preflight: everything that can be known to be wrong before an accelerator is requested. It reads every row, but of
 * the weights only the header.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { PreflightReport, RunConfig, TrainerPhase } from '../crds/trainer-contract.ts';
import { totalSteps } from './data/batches.ts';
import { type Dataset, datasetFiles, loadDataset } from './data/dataset.ts';
import { trainingMemoryBytes } from './data/estimate.ts';
import { dataReport, fitReport } from './data/report.ts';
import { loadTokenizer } from './data/tokenizer.ts';
import { TrainerError } from './failure.ts';
import { downloadFolder } from './sources/folder.ts';
import { findModelFiles, isSmallModelFile, modelDigest, weightsFile } from './sources/model-files.ts';
import { openSource } from './sources/open.ts';
import { readSafetensorsHeader, type TensorEntry } from './sources/safetensors-header.ts';
import type { Source } from './sources/source.ts';

const supportedModelTypes: readonly string[] = ['bert'];

/** Room for the report in the termination message of 4096 bytes; the rest names the run. */
const maxReportBytes = 3500;

const size = z.int().positive();
const modelConfig = z.object({
  model_type: z.string(),
  vocab_size: size,
  max_position_embeddings: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  intermediate_size: size,
  pad_token_id: z.int().min(0).nullish(),
});
type ModelConfig = z.infer<typeof modelConfig>;

/**
 * Checks sources, model, output and every row of the data.
 * @param workDirectory empty folder on the pod's own disk.
 * @throws TrainerError with the category of the first thing that is wrong.
 */
export async function preflight(
  config: RunConfig,
  workDirectory: string,
  onPhase: (phase: TrainerPhase) => void,
): Promise<PreflightReport> {
  onPhase('Downloading');
  const modelSource = await openSource(config.model);
  const datasetSource = await openSource(config.dataset.source);
  const outputSource = await openSource(config.output);
  const modelDirectory = join(workDirectory, 'model');
  const model = await checkModel(modelSource, modelDirectory);
  const tokenizer = await loadTokenizer(modelDirectory, {
    maxLength: config.training.maxLength,
    vocabularySize: model.config.vocab_size,
    maxPositions: model.config.max_position_embeddings,
    padTokenId: model.config.pad_token_id ?? undefined,
  });
  await checkOutput(outputSource, workDirectory);
  const dataDirectory = join(workDirectory, 'dataset');
  await downloadDataset(config, datasetSource, dataDirectory);
  onPhase('Preparing');
  const dataset = await loadDataset(config, dataDirectory, tokenizer);
  const report = { ...dataReport(dataset), ...plan(config, dataset, model) };
  return fitReport({ ...report, modelDigest: model.digest }, maxReportBytes);
}

/** Downloads the files of the dataset that the run reads. */
export async function downloadDataset(config: RunConfig, source: Source, directory: string): Promise<void> {
  for (const file of datasetFiles(config)) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await source.download(file, join(directory, file));
  }
}

type CheckedModel = { config: ModelConfig; parameters: number; digest: string };

async function checkModel(source: Source, directory: string): Promise<CheckedModel> {
  await findModelFiles(source);
  await downloadFolder(source, '', directory, { only: isSmallModelFile });
  const config = await readModelConfig(join(directory, 'config.json'));
  const { tensors } = await readSafetensorsHeader(source, weightsFile);
  checkEmbeddings(tensors, config);
  return { config, parameters: countParameters(tensors), digest: await modelDigest(source) };
}

async function readModelConfig(file: string): Promise<ModelConfig> {
  const refuse = (reason: string, cause?: unknown) =>
    new TrainerError(
      'ModelError',
      `config.json ${reason}.`,
      'Use the config.json that was published with the weights.',
      {
        cause,
      },
    );
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw refuse('is not valid JSON', error);
  }
  const type = z.object({ model_type: z.string() }).safeParse(json);
  if (type.success && !supportedModelTypes.includes(type.data.model_type)) {
    throw new TrainerError(
      'ModelError',
      `config.json has the model_type ${JSON.stringify(type.data.model_type.slice(0, 60))}, which is not supported.`,
      `Use a model of type ${supportedModelTypes.join(', ')}.`,
    );
  }
  const parsed = modelConfig.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(`cannot be used: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** The one tensor that shows whether config.json and weights belong together; training checks them all. */
function checkEmbeddings(tensors: ReadonlyMap<string, TensorEntry>, config: ModelConfig): void {
  const [name, entry] =
    [...tensors].find(([name]) => /(^|\.)embeddings\.word_embeddings\.weight$/.test(name)) ?? [];
  const want = [config.vocab_size, config.hidden_size];
  if (entry !== undefined && entry.shape.join() === want.join()) return;
  throw new TrainerError(
    'ModelError',
    entry === undefined
      ? `${weightsFile} has no embeddings.word_embeddings.weight: it holds another kind of model than config.json says.`
      : `config.json does not match the weights: ${name} has the shape [${entry.shape}], vocab_size and hidden_size are [${want}].`,
    'Use config.json and model.safetensors of the same model.',
  );
}

/** Elements of all floating-point tensors; integer ones are buffers such as position_ids. */
function countParameters(tensors: ReadonlyMap<string, TensorEntry>): number {
  return [...tensors.values()]
    .filter(({ dtype }) => /^(F|BF)\d+$/.test(dtype))
    .reduce((sum, { shape }) => sum + shape.reduce((product, dimension) => product * dimension, 1), 0);
}

/** Writes and removes a small file: a run that cannot save its result should not start. */
async function checkOutput(source: Source, workDirectory: string): Promise<void> {
  const name = `.finetune-probe-${randomUUID()}`;
  const file = join(workDirectory, name);
  await mkdir(workDirectory, { recursive: true });
  await writeFile(file, 'Written to check that results can be saved; it may be deleted.\n');
  await source.upload(file, name);
  await source.remove(name);
  await rm(file);
}

function plan(config: RunConfig, { labels, splits }: Dataset, model: CheckedModel) {
  const { batchSize, epochs, maxLength } = config.training;
  const { hidden_size, num_hidden_layers, num_attention_heads, intermediate_size } = model.config;
  const longest = splits.train.fullLengths.reduce((longest, length) => Math.max(longest, length), 0);
  const head = hidden_size * labels.length + labels.length;
  const sizes = {
    hiddenSize: hidden_size,
    layers: num_hidden_layers,
    heads: num_attention_heads,
    intermediateSize: intermediate_size,
    parameters: model.parameters + head,
  };
  const batch = { rows: Math.min(batchSize, splits.train.rows), length: Math.min(maxLength, longest) };
  return {
    totalSteps: totalSteps(splits.train.rows, batchSize, epochs),
    memoryEstimateBytes: trainingMemoryBytes(sizes, batch),
    modelType: model.config.model_type,
    parameters: model.parameters,
  };
}
