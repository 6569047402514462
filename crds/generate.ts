/**
 * Writes everything that follows from the schemas and tables in crds/: the CRDs, their copies in the Helm chart and
 * the reference in docs/. `--check` writes nothing and ends with 1 when a file is not what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { flagOf, settings, variableOf } from '../operator/config.ts';
import { counters, gauges, histograms } from '../operator/metrics.ts';
import { clusterRules, ownNamespaceRules } from '../operator/permissions.ts';
import { commonLabels, trainerSeries } from '../trainer-image/series.ts';
import { customResourceDefinition, jobResource, type Resource, resources, runtimeResource } from './crd.ts';
import { metricsPage, type Series, settingsPage } from './operations-reference.ts';
import { conditionsPage, dataChecksPage, failuresPage, resourcePage } from './reference.ts';

const root = dirname(import.meta.dirname);

/** CRD as YAML, with the name of its source on top. */
export function crdYaml(resource: Resource): string {
  const source = `crds/${resource.singular}.schema.ts`;
  const body = stringify(customResourceDefinition(resource), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
  return `# Generated from ${source} by "npm run generate". Do not edit.\n${body}`;
}

/** Path (relative to the repository) -> content of each generated file. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const resource of resources) {
    const yaml = crdYaml(resource);
    files.set(`crds/${resource.plural}.yaml`, yaml);
    files.set(`helm/finetune-operator/files/crds/${resource.plural}.yaml`, yaml);
  }
  files.set('helm/finetune-operator/files/rbac/cluster-rules.yaml', stringify(clusterRules));
  files.set('helm/finetune-operator/files/rbac/own-namespace-rules.yaml', stringify(ownNamespaceRules));
  files.set('docs/reference/finetunejob.md', resourcePage(jobResource));
  files.set('docs/reference/finetuneruntime.md', resourcePage(runtimeResource));
  files.set('docs/reference/conditions.md', conditionsPage());
  files.set('docs/reference/failures.md', failuresPage());
  files.set('docs/reference/data-checks.md', dataChecksPage());
  files.set('docs/reference/metrics.md', metricsOfBoth());
  files.set(
    'docs/reference/settings.md',
    settingsPage(settings, { flagOf, variableOf }, { identity: 'name of the host' }),
  );
  return files;
}

function metricsOfBoth(): string {
  const withType = (type: string, rows: Record<string, Omit<Series, 'type'>>) =>
    Object.values(rows).map((row) => ({ ...row, type }));
  const operator = [
    ...withType('counter', counters),
    ...withType('gauge', gauges),
    ...withType('histogram', histograms),
  ];
  const trainer = Object.entries(trainerSeries).map(([name, row]) => ({
    name,
    type: row.type,
    labels: 'label' in row ? [...commonLabels, row.label] : commonLabels,
    help: row.help,
  }));
  const process = 'The usual metrics of the Node.js process come with them.';
  return metricsPage([
    { title: 'Operator', intro: `Served on the port of the operator. ${process}`, series: operator },
    { title: 'Trainer', intro: `Served by each trainer pod. ${process}`, series: trainer },
  ]);
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Files below `folder` that differ from what would be generated; written unless `checkOnly`. */
export function generate(folder: string, checkOnly: boolean): string[] {
  const stale: string[] = [];
  for (const [path, content] of generatedFiles()) {
    const file = join(folder, path);
    if (contentOf(file) === content) continue;
    stale.push(path);
    if (checkOnly) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return stale;
}

if (import.meta.main) {
  const checkOnly = process.argv.includes('--check');
  const stale = generate(root, checkOnly);
  for (const path of stale) console.log(checkOnly ? `stale: ${path}` : `wrote ${path}`);
  if (checkOnly && stale.length > 0) {
    console.error('Run "npm run generate" and commit the result.');
    process.exitCode = 1;
  }
}
