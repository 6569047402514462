/** The labelled data of a FineTuneJob. */
import * as z from 'zod';
import { fraction, relativePath, withRules } from './fields.ts';
import { source } from './source.schema.ts';
import { type ColumnRole, columnRoles } from './tasks.ts';
import { maxSliceColumns, maxSlices } from './trainer-contract.ts';

const column = (role: ColumnRole) => z.string().min(1).max(128).optional().describe(columnRoles[role]);

const splits = withRules(
  z
    .strictObject({
      train: relativePath('File with the rows to train on, relative to the source.'),
      validation: relativePath('File with the rows for evaluation during training.').optional(),
      test: relativePath('File with the rows for the final comparison with the base model.').optional(),
    })
    .describe('Files of the dataset by their use.'),
  [
    {
      rule: '!has(self.test) || (self.test != self.train && (!has(self.validation) || self.test != self.validation))',
      message: 'the test file must differ from the others: rows that were trained on prove nothing',
      fieldPath: '.test',
    },
    {
      rule: '!has(self.validation) || self.validation != self.train',
      message: 'the validation file must differ from the train file',
      fieldPath: '.validation',
    },
  ],
);

const fractions = withRules(
  z
    .strictObject({
      validation: fraction('Part of the training rows used for evaluation during training.', {
        above: 0,
        below: 1,
      }).optional(),
      test: fraction('Part of the training rows used for the final comparison.', {
        above: 0,
        below: 1,
      }).optional(),
    })
    .describe(
      'Parts of the train file that are set aside where a split has no file of its own. Drawn with training.seed.',
    ),
  [
    {
      rule: '(has(self.validation) ? double(self.validation) : 0.0) + (has(self.test) ? double(self.test) : 0.0) < 1.0',
      message: 'validation and test together must leave rows to train on: their sum must be less than 1',
    },
  ],
);

export const dataset = withRules(
  z
    .strictObject({
      source: source('Folder that holds the files of the dataset.'),
      format: z
        .enum(['JSONL', 'CSV', 'TSV', 'Parquet', 'Text'])
        .default('JSONL')
        .describe(
          'Format of all files. CSV and TSV files have a header line and quotes as in RFC 4180. Text files hold one text a line, for MaskedLM. All but Parquet are decompressed if their names end in .gz or .zst. Parquet files may use Snappy, gzip, zstd or Brotli; a row group may have 256 MiB in the columns that are read.',
        ),
      columns: z
        .strictObject({
          text: column('text'),
          text2: column('text2'),
          label: column('label'),
          tokens: column('tokens'),
          tags: column('tags'),
        })
        .prefault({})
        .describe('Names of the columns that the task reads.'),
      labels: z
        .array(z.string().min(1).max(128))
        .min(2)
        .max(256)
        .meta({
          // atomic, not set: CEL compares sets without their order, and the order here is that of the ids.
          'x-kubernetes-list-type': 'atomic',
          'x-kubernetes-validations': [
            {
              rule: 'self.all(x, self.exists_one(y, x == y))',
              message: 'each label may be listed only once',
            },
          ],
        })
        .optional()
        .describe(
          'The labels, or tags, in the order of their ids. A row with any other label is an error. Without it the labels are those of the train split: in the order of the base model (id2label in its config.json) where it has the same ones, else sorted.',
        ),
      slices: z
        .array(z.string().min(1).max(128))
        .min(1)
        .max(maxSliceColumns)
        .meta({ 'x-kubernetes-list-type': 'set' })
        .optional()
        .describe(
          `Columns of the test split whose values name groups of rows, such as language or source: the metric of the comparison is also computed for each group, for base and tuned model, to show on whom the model is worse. A value is a string, an integer or a boolean; a column may have ${maxSlices} of them.`,
        ),
      splits,
      fractions: fractions.optional(),
    })
    .describe('The labelled data.'),
  [
    {
      rule: "self.format != 'Parquet' || [self.splits.train, self.splits.?validation.orValue(''), self.splits.?test.orValue('')].all(file, !file.matches('[.](gz|zst)$'))",
      message: 'a Parquet file is compressed inside: its name must not end in .gz or .zst',
      fieldPath: '.splits',
    },
    {
      rule: 'has(self.splits.test) != (has(self.fractions) && has(self.fractions.test))',
      message: 'held-out data is needed: set exactly one of splits.test and fractions.test',
      fieldPath: '.splits',
    },
    {
      rule: '!(has(self.splits.validation) && has(self.fractions) && has(self.fractions.validation))',
      message: 'set at most one of splits.validation and fractions.validation',
      fieldPath: '.splits',
    },
  ],
);
