/** Pages for those who run the operator: metrics and settings, from the tables in which they are defined. */
import * as z from 'zod';
import { code, pageHead, table } from './markdown.ts';

export type Series = { name: string; type: string; labels: readonly string[]; help: string };

/** Metrics, a section for each program that serves them. */
export function metricsPage(programs: readonly { title: string; intro: string; series: Series[] }[]): string {
  const sections = programs.flatMap(({ title, intro, series }) => [
    `## ${title}\n`,
    `${intro}\n`,
    table(
      ['Metric', 'Type', 'Labels', 'Meaning'],
      series.map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
    ),
  ]);
  return [pageHead('Metrics'), ...sections].join('\n');
}

export type SettingNames = { flagOf(field: string): string; variableOf(field: string): string };

/** Settings of the operator; `ownDefaults` describes defaults that differ from machine to machine. */
export function settingsPage(
  settings: z.ZodObject,
  { flagOf, variableOf }: SettingNames,
  ownDefaults: Readonly<Record<string, string>>,
): string {
  const { properties = {} } = z.toJSONSchema(settings, { io: 'input' });
  const rows = Object.entries(properties).map(([field, schema]) => {
    if (typeof schema === 'boolean' || !schema.description)
      throw new Error(`setting ${field} needs a description`);
    return [
      code(flagOf(field)),
      code(variableOf(field)),
      ownDefaults[field] ?? (schema.default === '' ? 'empty' : code(schema.default)),
      schema.description,
    ];
  });
  return [
    pageHead('Settings of the operator'),
    'A flag wins over its variable.\n',
    table(['Flag', 'Environment variable', 'Default', 'Meaning'], rows),
  ].join('\n');
}
