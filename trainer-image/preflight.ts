/**
 * Preflight: everything that can be known to be wrong before an accelerator is requested. It reads every row, but of
 * the weights only the headers.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PreflightReport, RunConfig, TrainerPhase } from '../crds/trainer-contract.ts';
import { largestBatch, totalSteps } from './data/batches.ts';
import { type Dataset, datasetFiles, loadDataset } from './data/dataset.ts';
import { trainingMemoryBytes } from './data/estimate.ts';
import { dataReport, fitReport } from './data/report.ts';
import { loadTokenizer, type TextTokenizer } from './data/tokenizer.ts';
import { folderBytes, type InputBytes, refuseSmallVolume, trainingDiskBytes } from './disk.ts';
import { type Architecture, type ModelConfig, readArchitecture } from './model/architecture.ts';
import { labelsOfConfig, labelsOfHead } from './model/config-labels.ts';
import type { TensorEntry } from './model/safetensors.ts';
import { mapWeights } from './model/weights.ts';
import { frozenWeights } from './optim/freezing.ts';
import { optimizerOf } from './optim/optimizer-of.ts';
import { trainedNumbers } from './optim/size.ts';
import { fetchModel, findModelFiles, modelDigest } from './sources/model-files.ts';
import { openSource } from './sources/open.ts';
import { readSafetensorsHeader } from './sources/safetensors-header.ts';
import type { Source } from './sources/source.ts';
import { taskOf } from './tasks/tasks.ts';

/** Room for the report in the termination message of 4096 bytes; the rest names the run. */
const maxReportBytes = 3500;
/** The number of labels is known only after the data was read; until then config.json is checked with this one. */
const someLabels = 2;

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
  const { weights, small } = await findModelFiles(modelSource);
  await fetchModel(modelSource, { weights: [], small }, modelDirectory);
  const model = readArchitecture(modelDirectory, { task: config.task, labels: someLabels });
  const tensors = await readHeaders(
    modelSource,
    weights.map(({ path }) => path),
  );
  const tokenizer = await loadModelTokenizer(config, model, modelDirectory);
  await checkOutput(outputSource, workDirectory);
  const dataDirectory = join(workDirectory, 'dataset');
  await downloadDataset(config, datasetSource, dataDirectory);
  onPhase('Preparing');
  const encoded = join(workDirectory, 'encoded');
  const modelLabels = labelsOfConfig(model.raw);
  const places = { directory: dataDirectory, encoded };
  const dataset = await loadDataset(config, taskOf(config), { ...places, tokenizer, modelLabels });
  const inputs = {
    model: [...(modelSource.placesLinks ? [] : weights), ...small].reduce((sum, { bytes }) => sum + bytes, 0),
    dataset: await folderBytes(dataDirectory),
    encoded: (await folderBytes(encoded)) * copiesOfRows(config),
  };
  const { raw, architecture } = readArchitecture(modelDirectory, {
    task: config.task,
    labels: dataset.task.width(dataset.labels.length),
    packed: config.training.packing === 'BestFitDecreasing',
  });
  const { keys, newlyInitialized } = mapWeights(tensors, architecture.parameters, architecture.prefix);
  const report: PreflightReport = {
    ...dataReport({ ...dataset, splits: dataset.texts }, labelsOfHead(raw, newlyInitialized)),
    ...plan(config, dataset, architecture, { stored: keys, inputs }),
    modelDigest: await modelDigest(modelSource),
  };
  refuseSmallVolume(report.diskEstimateBytes, config.workBytes);
  return fitReport(report, maxReportBytes);
}

/** The tokenizer of a downloaded model, checked against the model and training.maxLength. */
export function loadModelTokenizer(
  config: RunConfig,
  { architecture }: ModelConfig,
  directory: string,
): Promise<TextTokenizer> {
  return loadTokenizer(directory, {
    maxLength: config.training.maxLength,
    truncation: config.training.packing !== 'Wrapped',
    vocabularySize: architecture.vocabularySize,
    maxPositions: architecture.maxLength,
    padTokenId: architecture.padTokenId,
    stride: config.training.stride,
    pretokenized: config.dataset.columns.tokens !== undefined,
  });
}

/** Downloads the files of the dataset that the run reads. */
export async function downloadDataset(config: RunConfig, source: Source, directory: string): Promise<void> {
  for (const file of datasetFiles(config)) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await source.download(file, join(directory, file));
  }
}

/** Where fractions divide the train file, its rows lie on the disk twice while they are copied. */
function copiesOfRows({ dataset: { fractions } }: RunConfig): number {
  return fractions.validation === undefined && fractions.test === undefined ? 1 : 2;
}

async function readHeaders(source: Source, files: readonly string[]): Promise<Map<string, TensorEntry>> {
  const tensors = new Map<string, TensorEntry>();
  for (const file of files)
    for (const [name, entry] of await readSafetensorsHeader(source, file)) tensors.set(name, entry);
  return tensors;
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

/** Steps, memory, disk and `stored` parameters. Throws TrainerError when patterns of weights match none. */
function plan(
  config: RunConfig,
  { task, labels, splits }: Dataset,
  architecture: Architecture,
  { stored, inputs }: { stored: ReadonlyMap<string, string>; inputs: InputBytes },
) {
  const count = (parameters: typeof architecture.parameters) =>
    parameters.reduce((sum, { shape }) => sum + shape.reduce((product, axis) => product * axis, 1), 0);
  const { gradientCheckpointing, bf16, rDropAlpha } = config.training;
  const largest = largestBatch(splits.train, config.training);
  // R-Drop computes each row twice in a step.
  const rows = { ...largest, rows: largest.rows * (rDropAlpha === undefined ? 1 : 2) };
  const sizes = { labels: labels.length, vocabulary: architecture.vocabularySize };
  const batch = { ...rows, logits: task.logitCount(rows, sizes), gradientCheckpointing, bf16 };
  const frozen = frozenWeights(
    architecture.parameters.map(({ name }) => name),
    config.training.freeze ?? [],
  );
  const numbers = {
    weights: count(architecture.parameters),
    trainedNumbers: trainedNumbers(architecture.parameters, optimizerOf(config.training), {
      frozen,
      ema: config.training.ema !== undefined,
    }),
  };
  return {
    totalSteps: totalSteps(splits.train, config.training),
    memoryEstimateBytes: trainingMemoryBytes(architecture.sizes, numbers, batch),
    diskEstimateBytes: trainingDiskBytes(inputs, numbers),
    modelType: architecture.modelType,
    parameters: count(architecture.parameters.filter(({ name }) => stored.has(name))),
  };
}
