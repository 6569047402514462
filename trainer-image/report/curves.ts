import { metrics, metricsOf, metricTitle } from '../../crds/tasks.ts';
import { evenly } from '../run/history.ts';
import { type Chart, lineChart } from './chart.ts';
import type { Html } from './html.ts';
import { type Report, score } from './report.ts';

/** Points beyond this cannot be told apart on the page. */
const maxPoints = 400;

type Point = readonly [number, number];

/** Loss over the steps: every step faintly, a moving mean, the validation split, and the step that was kept. */
export function lossChart(report: Report): Html {
  const { stepLosses, validation, training } = report;
  const raw = stepLosses.map((loss, i): Point => [i + 1, loss]);
  const window = Math.max(1, Math.round(stepLosses.length / 40));
  const smooth = movingMean(stepLosses, window).map((loss, i): Point => [i + 1, loss]);
  const series: Chart['series'] = [
    { name: '', look: 'raw', points: evenly(raw, maxPoints) },
    {
      name: window === 1 ? 'training' : `training, mean of ${window} steps`,
      look: 'train',
      points: evenly(smooth, maxPoints),
    },
    ...(validation.length === 0
      ? []
      : [
          {
            name: 'validation',
            look: 'eval',
            points: validation.map(({ step, loss }): Point => [step, loss]),
            dots: validation.length <= 60,
          },
        ]),
  ];
  return lineChart({
    id: 'loss',
    title: 'Loss',
    description: `Training loss from ${score(stepLosses[0] ?? 0)} to ${score(smooth.at(-1)?.[1] ?? 0)} over ${stepLosses.length} steps.`,
    xLabel: 'step',
    series,
    yLow: 0,
    ...(training.best && { mark: { x: training.best.step, label: `best: step ${training.best.step}` } }),
  });
}

/** The first metrics that go up to 1, on the validation split; nothing with fewer than two evaluations. */
export function validationChart({ config, validation, training }: Report): Html | undefined {
  if (validation.length < 2) return undefined;
  const last = validation.at(-1)!;
  const shown = metricsOf(config.task).filter((name) => metrics[name].better === 'more');
  const series = shown.slice(0, 2).map((name, i) => ({
    name: metricTitle(config.task, name),
    look: (['eval', 'train'] as const)[i]!,
    points: validation.map((v): Point => [v.step, v[name] ?? 0]),
    dots: true,
    value: score(last[name]),
  }));
  return lineChart({
    id: 'scores',
    title: 'Scores on the validation split',
    description: `At the last evaluation: ${series.map(({ name, value }) => `${name} ${value}`).join(', ')}.`,
    xLabel: 'step',
    height: 220,
    series,
    yHigh: 1,
    ...(training.best && { mark: { x: training.best.step, label: '' } }),
  });
}

export function learningRateChart({ learningRates }: Report): Html {
  const points = evenly(
    learningRates.map((rate, i): Point => [i + 1, rate]),
    maxPoints,
  );
  return lineChart({
    id: 'rate',
    title: 'Learning rate',
    description: `Peak ${Math.max(...points.map(([, rate]) => rate))} over ${learningRates.length} steps.`,
    xLabel: 'step',
    height: 170,
    series: [{ name: '', look: 'quiet', points }],
    yLow: 0,
  });
}

/** Mean of the last `window` values at each place. */
export function movingMean(values: readonly number[], window: number): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= window ? values[i - window]! : 0);
    return sum / Math.min(i + 1, window);
  });
}
