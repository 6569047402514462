/** From a run config to its task. */
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { maskedLM } from './masked-lm.ts';
import { sequenceClassification } from './sequence-classification.ts';
import type { Task } from './task.ts';
import { tokenClassification } from './token-classification.ts';

/** @throws TrainerError ConfigError when the config lacks the settings of its task. */
export function taskOf({ task, training }: RunConfig): Task {
  if (task === 'SequenceClassification') return sequenceClassification;
  if (task === 'TokenClassification') return tokenClassification;
  if (training.masking !== undefined) return maskedLM(training.masking);
  throw new TrainerError(
    'ConfigError',
    'training.masking is missing, and MaskedLM cannot do without.',
    'The operator writes it; operator and trainer image must be of the same release.',
  );
}
