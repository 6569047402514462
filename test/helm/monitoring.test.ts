/** Alerts and dashboard of the chart: they ask for series that there are, and Prometheus understands them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { parse as parseYaml, stringify } from 'yaml';
import { jobPhases } from '../../crds/status.schema.ts';
import { controllerName } from '../../operator/controller/controller.ts';
import { counters, gauges, histograms } from '../../operator/metrics.ts';
import { commonLabels, trainerSeries } from '../../trainer-image/series.ts';
import { run } from '../cluster/command.ts';
import { ensureProgram } from '../cluster/packages.ts';

const files = join(import.meta.dirname, '../../helm/finetune-operator/files/monitoring');
const alertsFile = join(files, 'alerts.yaml');
const alerts: { groups: { rules: { alert: string; expr: string }[] }[] } = parseYaml(
  readFileSync(alertsFile, 'utf8'),
);
const dashboard: {
  templating: { list: { query: string | { query: string } }[] };
  panels: { title: string; targets: { expr: string; legendFormat: string }[] }[];
} = JSON.parse(readFileSync(join(files, 'dashboard.json'), 'utf8'));

/** Series of both programs, with their labels. */
const series = new Map<string, readonly string[]>();
for (const { name, labels } of [...Object.values(counters), ...Object.values(gauges)])
  series.set(name, labels);
for (const { name, labels } of Object.values(histograms)) {
  series.set(`${name}_bucket`, [...labels, 'le']);
  for (const part of ['sum', 'count']) series.set(`${name}_${part}`, labels);
}
for (const [name, row] of Object.entries(trainerSeries))
  series.set(name, [...commonLabels, ...('label' in row ? [row.label] : [])]);

/** Label -> the values that it may have. */
const values: Record<string, readonly string[]> = { phase: jobPhases, controller: [controllerName] };
const operators = new Set(['and', 'or', 'unless', 'bool', 'offset']);

/** What is wrong with the series that an expression asks for. */
function faultsOf(expression: string): string[] {
  const faults: string[] = [];
  // Lists of labels and ranges are no names of series.
  const text = expression
    .replace(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ');
  const name = /(?<![\w.])([a-zA-Z_]\w*)\s*(\()?(?:\{([^}]*)\})?/g;
  for (const [, found = '', call, matchers = ''] of text.replace(/offset \w+/g, ' ').matchAll(name)) {
    if (call !== undefined || operators.has(found)) continue;
    const labels = series.get(found);
    if (labels === undefined) {
      faults.push(`no series ${found}`);
      continue;
    }
    for (const [, label = '', sign, value = ''] of matchers.matchAll(/(\w+)\s*(=~|!=|=)\s*"([^"]*)"/g)) {
      if (!labels.includes(label)) faults.push(`${found} has no label ${label}`);
      if (sign === '=' && values[label]?.includes(value) === false) faults.push(`no ${label} "${value}"`);
    }
  }
  return faults;
}

const rules = alerts.groups.flatMap((group) => group.rules);
const targets = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map((target) => ({ ...target, title })),
);

describe('series', () => {
  test('a name, a label or a value that there is not is found', () => {
    assert.deepEqual(faultsOf('sum by (phase) (finetune_job_phase{phase="Failed"} offset 1h) > 0'), []);
    assert.deepEqual(faultsOf('rate(finetune_jobs_done_total[5m])'), ['no series finetune_jobs_done_total']);
    assert.deepEqual(faultsOf('finetune_job_loss{job="x"}'), ['finetune_job_loss has no label job']);
    assert.deepEqual(faultsOf('1 - finetune_job_phase{phase="Broken"}'), ['no phase "Broken"']);
  });

  for (const { alert, expr } of rules)
    test(`of the alert ${alert} are there`, () => assert.deepEqual(faultsOf(expr), []));

  for (const { title, expr, legendFormat } of targets) {
    test(`of the panel "${title}" are there, and the labels of its legend`, () => {
      assert.deepEqual(faultsOf(expr), []);
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        assert.ok(kept.includes(label), `${legendFormat} of ${expr}`);
    });
  }

  test('of the variables of the dashboard are there', () => {
    const query = dashboard.templating.list.flatMap(({ query }) =>
      typeof query === 'string' ? [] : query.query,
    );
    for (const one of query) {
      const [, name = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(one) ?? [];
      assert.ok(series.get(name)?.includes(label), one);
    }
  });
});

describe('promtool', () => {
  let promtool: string;
  before(async () => {
    promtool = await ensureProgram('prometheus', 'usr/bin/promtool');
  });

  test('takes the alerts', async () => {
    assert.match(await run(promtool, ['check', 'rules', alertsFile]), new RegExp(`${rules.length} rules`));
  });

  test('finds that each alert fires when it should, and not when all is well', async () => {
    const file = join(import.meta.dirname, 'alerts.promtool.yaml');
    assert.match(await run(promtool, ['test', 'rules', file]), /SUCCESS/);
    const tried = readFileSync(file, 'utf8');
    for (const { alert } of rules)
      assert.match(tried, new RegExp(`alertname: ${alert}\n +exp_alerts`), `${alert} never fires`);
  });

  test('takes the expressions of the dashboard', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'finetune-dashboard-'));
    try {
      const file = join(directory, 'rules.yaml');
      const records = targets.map(({ expr }, index) => ({ record: `panel:${index}`, expr }));
      await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules: records }] }));
      assert.match(await run(promtool, ['check', 'rules', file]), new RegExp(`${targets.length} rules`));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
