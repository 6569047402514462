/** From a run config to its task. */
import { kindOf } from '../../crds/tasks.ts';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { maskedLM } from './masked-lm.ts';
import { multiLabelClassification } from './multi-label-classification.ts';
import { regression } from './regression.ts';
import { sequenceClassification } from './sequence-classification.ts';
import type { Task } from './task.ts';
import { tokenClassification } from './token-classification.ts';

const plain = {
  SingleLabelClassification: sequenceClassification,
  MultiLabelClassification: multiLabelClassification,
  Regression: regression,
  TokenClassification: tokenClassification,
} as const;

/** @throws TrainerError ConfigError when the config lacks the settings of its task. */
export function taskOf(config: RunConfig): Task {
  const kind = kindOf(config);
  if (kind !== 'MaskedLM') return plain[kind];
  const { masking } = config.training;
  if (masking !== undefined) return maskedLM(masking);
  throw new TrainerError(
    'ConfigError',
    'training.masking is missing, and MaskedLM cannot do without.',
    'The operator writes it; operator and trainer image must be of the same release.',
  );
}
