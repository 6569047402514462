/** The pages of docs/reference/, made from the schemas and tables so that they cannot say anything else. */
import { conditions, reasons } from './conditions.ts';
import { group, type Resource, resourceSchema, version } from './crd.ts';
import { type DataCheck, dataChecks, resultChecks } from './data-checks.ts';
import { type FailureRule, failures, type RetryRule } from './failures.ts';
import { code, pageHead, table } from './markdown.ts';
import type { StructuralSchema } from './structural-type.ts';

/** Field reference of one resource: a section with a table for each object in it. */
export function resourcePage(resource: Resource): string {
  const { kind, shortName, scope, columns } = resource;
  const schema = resourceSchema(resource);
  const where = scope === 'Cluster' ? 'cluster-scoped' : 'namespaced';
  const parts = [
    pageHead(kind),
    `${schema.description}\n`,
    `\`apiVersion: ${group}/${version}\`, \`kind: ${kind}\`, short name \`${shortName}\`, ${where}.\n`,
    rulesOf(schema),
  ];
  for (const name of ['spec', 'status']) {
    const part = schema.properties?.[name];
    if (part) parts.push(...sections(name, part));
  }
  parts.push(
    '## Columns of kubectl get\n',
    table(
      ['Column', 'Field', 'Meaning'],
      columns.map(({ name, jsonPath, description, priority }) => [
        priority ? `${name} (\`-o wide\`)` : name,
        code(jsonPath.slice(1)),
        description,
      ]),
    ),
  );
  return parts.filter((part) => part !== '').join('\n');
}

/** The section of one object, followed by those of the objects inside it. */
function sections(path: string, schema: StructuralSchema): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const rows = fields.map(([name, field]) => [
    code(name),
    typeOf(field),
    schema.required?.includes(name) ? 'required' : defaultOf(field),
    `${field.description ?? ''}${inner(path, name, field)}`,
  ]);
  const own = [
    `## ${path}\n`,
    schema.description ? `${schema.description}\n` : '',
    table(['Field', 'Type', 'Default', 'Meaning'], rows),
    rulesOf(schema, fields),
  ];
  return [...own, ...fields.flatMap(([name, field]) => nested(`${path}.${name}`, field))];
}

function nested(path: string, field: StructuralSchema): string[] {
  if (field.properties) return sections(path, field);
  if (field.items?.properties) return sections(`${path}[]`, field.items);
  return [];
}

function inner(path: string, name: string, field: StructuralSchema): string {
  const target = field.properties ? `${path}.${name}` : field.items?.properties ? `${path}.${name}[]` : '';
  return target === '' ? '' : ` See [${target}](#${target.toLowerCase().replaceAll(/[^a-z0-9]/g, '')}).`;
}

function defaultOf(field: StructuralSchema): string {
  if (field.default === undefined) return '';
  return field.properties ? 'filled in' : code(JSON.stringify(field.default));
}

function typeOf(field: StructuralSchema): string {
  if (field.enum) return field.enum.map(code).join(', ');
  if (field.type === 'integer') return `integer, ${field.minimum} to ${field.maximum}`;
  if (field.format === 'date-time') return 'time';
  if (field.type === 'string') return `string, ${lengths(field)}`;
  if (field.items) return `list of ${typeOf(field.items)}; ${sizes(field)}`;
  if (field.additionalProperties)
    return `map to ${typeOf(field.additionalProperties)}, at most ${field.maxProperties}`;
  return field.type;
}

function lengths({ minLength, maxLength, pattern }: StructuralSchema): string {
  const size = minLength ? `${minLength} to ${maxLength} characters` : `at most ${maxLength} characters`;
  return pattern ? `${size}, ${code(pattern)}` : size;
}

function sizes({ minItems, maxItems }: StructuralSchema): string {
  return minItems ? `${minItems} to ${maxItems} items` : `at most ${maxItems} items`;
}

/** Rules that the API server checks: those of the object and those of its simple fields. */
function rulesOf(schema: StructuralSchema, fields: [string, StructuralSchema][] = []): string {
  const lines = (schema['x-kubernetes-validations'] ?? []).map(({ message }) => `- ${message}`);
  for (const [name, field] of fields)
    if (!field.properties)
      for (const { message } of field['x-kubernetes-validations'] ?? [])
        lines.push(`- ${code(name)}: ${message}`);
  return lines.length > 0 ? `Rules:\n\n${lines.join('\n')}\n` : '';
}

/** Conditions and reasons. */
export function conditionsPage(): string {
  return [
    pageHead('Conditions and reasons'),
    'Conditions stand in `status.conditions` of a FineTuneJob. Reasons stand in conditions and events.\n',
    '## Conditions\n',
    table(
      ['Type', 'Meaning of True'],
      Object.entries(conditions).map(([type, text]) => [code(type), text]),
    ),
    '## Reasons\n',
    table(
      ['Reason', 'Meaning'],
      Object.entries(reasons).map(([reason, text]) => [code(reason), text]),
    ),
  ].join('\n');
}

const retryText: Record<RetryRule, string> = {
  never: 'never: the same input would fail again',
  limited: 'up to `spec.retry.limit` times',
  smaller: 'in training up to `spec.retry.outOfMemoryLimit` times, with micro-batches of half the size',
  free: 'always: it is not the fault of the job',
};

/** Failure categories and exit codes of the trainer. */
export function failuresPage(): string {
  const rows = Object.entries(failures).map(
    ([category, { exitCode, retry, meaning }]: [string, FailureRule]) => [
      code(category),
      exitCode === undefined ? '' : String(exitCode),
      meaning,
      retryText[retry],
    ],
  );
  return [
    pageHead('Failures'),
    '`status.failure.category` of a FineTuneJob is one of these. A category with an exit code is reported by the trainer; the others are seen from outside.\n',
    table(['Category', 'Exit code', 'Meaning', 'Tried again'], rows),
  ].join('\n');
}

function checksTable(checks: Record<string, DataCheck>): string {
  const rows = Object.values(checks).map(({ measure, warns, threshold, unit, reason, advice }) => [
    measure,
    `${warns} ${unit.startsWith('of the') ? `${100 * threshold} %` : threshold} ${unit}`,
    reason,
    advice,
  ]);
  return table(['Measure', 'Warns', 'Why there', 'What it means and what to do'], rows);
}

/** The checks of data and result, with their thresholds. */
export function dataChecksPage(): string {
  return [
    pageHead('Checks of the data'),
    'Preflight computes these figures and puts them into `status.preflight`; `report.json` and `report.html` have them too. A figure beyond its threshold becomes a sentence in `status.preflight.warnings`. Nothing here ends a run.\n',
    checksTable(dataChecks),
    'A label that is in the list and not in a split is named as well. All figures take one pass over the rows; time and memory grow linearly with them (near duplicates: one hash for each token, at most 256 comparisons of 64 bytes and 80 bytes of memory for each row). `node bench/data-report.ts` measures them: 2 to 3 % of the time of reading and tokenising e-mails at 256 tokens.\n',
    '## Checks of the result\n',
    'At the end of a run the trainer puts these into `report.json`, `report.html` and `status.evaluation`; beyond its threshold a figure turns the condition `Overfitting` or `SliceGapGrown` to True. The gate alone rejects a model: `spec.gate.slices` can ask for a minimum of the worst slice and a maximum of the gap.\n',
    checksTable(resultChecks),
  ].join('\n');
}
