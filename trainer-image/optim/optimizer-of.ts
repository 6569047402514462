import type { RunConfig } from '../../crds/trainer-contract.ts';
import { adafactor } from './adafactor.ts';
import { adamW } from './adamw.ts';
import type { Optimizer } from './optimizer.ts';
import { sgd } from './sgd.ts';

/** Betas and epsilon as in Hugging Face's TrainingArguments. */
const adamWConstants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** The optimiser that a run config asks for. */
export function optimizerOf({
  optimizer,
  weightDecay,
}: Pick<RunConfig['training'], 'optimizer' | 'weightDecay'>): Optimizer {
  switch (optimizer.name) {
    case 'AdamW':
      return adamW({ ...adamWConstants, weightDecay });
    case 'SGD':
      return sgd({ momentum: optimizer.momentum, weightDecay });
    case 'Adafactor':
      return adafactor({ weightDecay });
  }
}
