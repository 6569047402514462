/** CEL rules of spec that follow from the tasks: what a task does not read or measure is refused, not ignored. */
import type { CelRule } from './fields.ts';
import { type ColumnRole, columnRoles, type Kind, kindNames, kindOf, kinds, metricsOf } from './tasks.ts';
import { imbalanceFields } from './training.schema.ts';

const listOf = (names: readonly string[]) => `[${names.map((name) => `'${name}'`).join(', ')}]`;
const given = (role: ColumnRole) => `has(self.dataset.columns.${role})`;
const column = (role: ColumnRole) => `(${given(role)} ? self.dataset.columns.${role} : '${role}')`;

/** CEL for "the job is of another kind". What most jobs leave out is asked first: a lookup costs more than a comparison. */
function isNot(kind: Kind): string {
  const { task } = kinds[kind];
  const isNotTask = `self.task != '${task}'`;
  if (task !== 'SequenceClassification') return isNotTask;
  if (kind === kindOf({ task })) return `${isNotTask} || self.?problemType.orValue('${kind}') != '${kind}'`;
  return `self.?problemType.orValue('') != '${kind}' || ${isNotTask}`;
}

function rulesOf(kind: Kind): CelRule[] {
  const { columns, optionalColumns, labelled, lists, smoothing } = kinds[kind];
  const read: readonly ColumnRole[] = [...columns, ...optionalColumns];
  const others = (Object.keys(columnRoles) as ColumnRole[]).filter((role) => !read.includes(role));
  const names = metricsOf(kind);
  const rules: CelRule[] = [
    {
      rule: `${isNot(kind)} || !(${others.map(given).join(' || ')})`,
      message: `${kind} reads only these columns: ${read.join(', ')}`,
      fieldPath: '.dataset.columns',
    },
    {
      rule: `!has(self.gate) || ${isNot(kind)} || self.gate.metric in ${listOf(names)}`,
      message: `${kind} has these metrics: ${names.join(', ')}`,
      fieldPath: '.gate.metric',
    },
    {
      rule: `${isNot(kind)} || !has(self.training.earlyStopping) || self.training.earlyStopping.metric in ${listOf(names)}`,
      message: `${kind} has these metrics: ${names.join(', ')}`,
      fieldPath: '.training.earlyStopping.metric',
    },
  ];
  if (!labelled) {
    rules.push({
      rule: `${isNot(kind)} || !has(self.dataset.labels)`,
      message: `${kind} has no labels`,
      fieldPath: '.dataset.labels',
    });
  }
  if (!smoothing) {
    rules.push({
      rule: `${isNot(kind)} || double(self.training.labelSmoothing) == 0.0`,
      message: `${kind} has no labels to smooth`,
      fieldPath: '.training.labelSmoothing',
    });
    rules.push({
      rule: `${isNot(kind)} || !has(self.training.rDropAlpha)`,
      message: `${kind} predicts no distribution over classes, which R-Drop compares`,
      fieldPath: '.training.rDropAlpha',
    });
  }
  if (lists) {
    rules.push({
      rule: `${isNot(kind)} || self.dataset.format in ['JSONL', 'Parquet']`,
      message: `${kind} reads lists, which only JSONL and Parquet can hold`,
      fieldPath: '.dataset.format',
    });
  }
  return rules;
}

/** Two roles that a task reads together need two columns. */
function differentColumns(task: string, [first, second]: readonly [ColumnRole, ColumnRole]): CelRule {
  const both = second === 'text2' ? `!${given(second)} || ` : '';
  return {
    rule: `self.task != '${task}' || ${both}${column(first)} != ${column(second)}`,
    message: `${first} and ${second} must be two columns`,
    fieldPath: '.dataset.columns',
  };
}

const imbalanceRules = imbalanceFields.map(
  (field): CelRule => ({
    rule: `!has(self.training.${field}) || !(${isNot('SingleLabelClassification')})`,
    message: `${field} is for SingleLabelClassification`,
    fieldPath: `.training.${field}`,
  }),
);

export const taskRules: readonly CelRule[] = [
  ...imbalanceRules,
  ...kindNames.flatMap(rulesOf),
  differentColumns('SequenceClassification', ['text', 'label']),
  differentColumns('SequenceClassification', ['text', 'text2']),
  differentColumns('SequenceClassification', ['label', 'text2']),
  differentColumns('TokenClassification', ['tokens', 'tags']),
  {
    rule: "!has(self.problemType) || self.task == 'SequenceClassification'",
    message: 'only SequenceClassification has a problem type',
    fieldPath: '.problemType',
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
    rule: "self.dataset.format != 'Text' || !has(self.dataset.slices)",
    message: 'a Text file has no columns',
    fieldPath: '.dataset.slices',
  },
  {
    rule: "!has(self.training.masking) || self.task == 'MaskedLM'",
    message: 'only MaskedLM masks tokens',
    fieldPath: '.training.masking',
  },
  {
    rule: "!has(self.training.packing) || self.training.packing != 'Wrapped' || self.task == 'MaskedLM'",
    message: 'Wrapped cuts texts anywhere, which only MaskedLM can learn from; use BestFitDecreasing',
    fieldPath: '.training.packing',
  },
  {
    rule: "!has(self.training.stride) || self.task in ['TokenClassification', 'MaskedLM']",
    message: 'only TokenClassification and MaskedLM read a text in several windows',
    fieldPath: '.training.stride',
  },
];
