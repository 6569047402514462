/** CEL rules of spec that follow from the tasks: what a task does not read or measure is refused, not ignored. */
import type { CelRule } from './fields.ts';
import { type ColumnRole, columnRoles, metricsOf, type TaskName, taskNames, tasks } from './tasks.ts';

const listOf = (names: readonly string[]) => `[${names.map((name) => `'${name}'`).join(', ')}]`;
const column = (role: ColumnRole) =>
  `(has(self.dataset.columns.${role}) ? self.dataset.columns.${role} : '${role}')`;

function rulesOf(task: TaskName): CelRule[] {
  const { columns, labelled } = tasks[task];
  const read: readonly ColumnRole[] = columns;
  const others = (Object.keys(columnRoles) as ColumnRole[]).filter((role) => !read.includes(role));
  const names = metricsOf(task);
  const rules: CelRule[] = [
    {
      rule: `self.task != '${task}' || !(${others.map((role) => `has(self.dataset.columns.${role})`).join(' || ')})`,
      message: `${task} reads only these columns: ${columns.join(', ')}`,
      fieldPath: '.dataset.columns',
    },
    {
      rule: `self.task != '${task}' || !has(self.gate) || self.gate.metric in ${listOf(names)}`,
      message: `${task} has these metrics: ${names.join(', ')}`,
      fieldPath: '.gate.metric',
    },
    {
      rule: `self.task != '${task}' || !has(self.training.earlyStopping) || self.training.earlyStopping.metric in ${listOf(names)}`,
      message: `${task} has these metrics: ${names.join(', ')}`,
      fieldPath: '.training.earlyStopping.metric',
    },
  ];
  const [first, second] = read;
  if (first !== undefined && second !== undefined) {
    rules.push({
      rule: `self.task != '${task}' || ${column(first)} != ${column(second)}`,
      message: `${first} and ${second} must be two columns`,
      fieldPath: '.dataset.columns',
    });
  }
  if (!labelled) {
    rules.push({
      rule: `self.task != '${task}' || !has(self.dataset.labels)`,
      message: `${task} has no labels`,
      fieldPath: '.dataset.labels',
    });
  }
  return rules;
}

export const taskRules: readonly CelRule[] = [
  ...taskNames.flatMap(rulesOf),
  {
    rule: "self.task != 'TokenClassification' || self.dataset.format in ['JSONL', 'Parquet']",
    message: 'TokenClassification reads lists of words and tags, which only JSONL and Parquet can hold',
    fieldPath: '.dataset.format',
  },
  {
    rule: "self.dataset.format != 'Text' || self.task == 'MaskedLM'",
    message: 'a Text file holds one text a line and no labels: only MaskedLM reads it',
    fieldPath: '.dataset.format',
  },
  {
    rule: "self.dataset.format != 'Text' || !has(self.dataset.columns.text)",
    message: 'a Text file has no columns',
    fieldPath: '.dataset.columns',
  },
  {
    rule: "!has(self.training.masking) || self.task == 'MaskedLM'",
    message: 'only MaskedLM masks tokens',
    fieldPath: '.training.masking',
  },
];
