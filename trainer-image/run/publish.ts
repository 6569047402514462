import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kindOf } from '../../crds/tasks.ts';
import type { OutcomeOf } from '../messages.ts';
import { summaryOf } from '../metrics/slices.ts';
import { exportModel } from '../model/export.ts';
import { eventFile, type Scalar } from '../report/events.ts';
import { modelCard } from '../report/model-card.ts';
import { reportPage } from '../report/page.ts';
import { metricsOfModel, type Report } from '../report/report.ts';
import { uploadFolder } from '../sources/folder.ts';
import type { Evaluated } from '../tasks/task.ts';
import type { FinishedOutcome } from './finished.ts';
import { thinHistory } from './history.ts';
import { replaceModel } from './model-folder.ts';
import { writePredictions } from './predictions.ts';
import { buildReport } from './report-of-run.ts';
import type { Run } from './run.ts';
import type { RunState } from './state.ts';

export const modelFormat = 'Hugging Face safetensors';

/** Writes and uploads the report, and the model if it passes the gate. The model's weights are the ones to publish. */
export async function publish(run: Run, final: Evaluated): Promise<FinishedOutcome> {
  const { context, output, inputs } = run;
  const { task, labels, splits } = inputs.dataset;
  const reportDirectory = join(context.workDirectory, 'report');
  await mkdir(reportDirectory, { recursive: true });
  const worstErrors = await writePredictions(join(reportDirectory, 'predictions.jsonl'), {
    dataset: context.config.dataset,
    dataDirectory: inputs.dataDirectory,
    task,
    evaluation: { evaluated: final, split: splits.test, labels },
  });
  const report = buildReport(run, final, worstErrors);
  await writeReport(reportDirectory, report, run.state);
  const common = commonResult(run, report);
  const reportUri = `${output.uri}/report`;
  if (report.verdict.outcome === 'Rejected') {
    await uploadFolder(output, reportDirectory, 'report', { last: 'report.json' });
    return { outcome: 'Rejected', ...common, message: report.verdict.reasons.join('; '), reportUri };
  }
  const model = await uploadModel(run, report);
  await uploadFolder(output, reportDirectory, 'report', { last: 'report.json' });
  return { outcome: 'Succeeded', ...common, model: { ...model, reportUri } };
}

async function writeReport(directory: string, report: Report, state: RunState): Promise<void> {
  const events = eventFile(scalarsOf(state));
  const first = Math.floor((state.steps[0]?.time ?? 0) / 1000);
  await writeFile(join(directory, 'report.json'), `${JSON.stringify(report)}\n`);
  await writeFile(join(directory, 'report.html'), reportPage(report));
  await writeFile(join(directory, `events.out.tfevents.${first}.trainer`), events);
}

/** Model, tokenizer, card: all that Hugging Face Transformers needs to load it. */
async function uploadModel({ context, output, model, inputs }: Run, report: Report) {
  const directory = join(context.workDirectory, 'export');
  const { sha256 } = await exportModel({
    model,
    task: inputs.dataset.task,
    modelDirectory: inputs.modelDirectory,
    directory,
  });
  await writeFile(join(directory, 'README.md'), modelCard(report));
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
  await replaceModel(output, directory, 'model');
  return { uri: `${output.uri}/model`, digest: `sha256:${sha256}`, format: modelFormat, bytes };
}

function commonResult(
  run: Run,
  report: Report,
): Omit<OutcomeOf<'Rejected'>, 'outcome' | 'message' | 'reportUri'> {
  const { state, checkpoints, device } = run;
  const { final, baseline, gain, training, slices, overfitting } = report;
  const metricsOf = (of: Report['final']) => metricsOfModel(kindOf(report.config), of);
  return {
    step: state.step,
    totalSteps: run.totalSteps,
    epoch: Number((state.step / run.stepsPerEpoch).toFixed(3)),
    device: device.name,
    ...(training.resumedFromStep !== undefined && { resumedFromStep: training.resumedFromStep }),
    trainSeconds: state.trainSeconds,
    trainedTokens: state.trainedTokens,
    history: thinHistory({ steps: state.steps, evaluations: state.validation }),
    checkpoints: checkpoints.records(),
    evaluation: {
      rows: final.rows,
      ...(baseline && { baseline: metricsOf(baseline) }),
      final: metricsOf(final),
      ...(gain && { gain }),
      ...(slices.length > 0 && { slices: slices.map(summaryOf) }),
      ...(overfitting && { overfitting }),
    },
  };
}

function scalarsOf({ steps, validation }: RunState): Scalar[] {
  const points = steps.flatMap(({ loss, learningRate, gradientNorm, time }, i) => {
    const at = { step: i + 1, time };
    return [
      { tag: 'train/loss', value: loss, ...at },
      { tag: 'train/learning_rate', value: learningRate, ...at },
      { tag: 'train/grad_norm', value: gradientNorm, ...at },
    ];
  });
  const evaluations = validation.flatMap(({ step, ...metrics }) => {
    const at = { step, time: steps[step - 1]?.time ?? 0 };
    return Object.entries(metrics).flatMap(([name, value]) =>
      value === undefined ? [] : [{ tag: `eval/${name}`, value, ...at }],
    );
  });
  return [...points, ...evaluations];
}
