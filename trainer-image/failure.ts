import type { TrainerFailureCategory } from '../crds/failures.ts';

/** An error that ends the run with a named category; the message says what and where, the hint what to do. */
export class TrainerError extends Error {
  readonly category: TrainerFailureCategory;
  readonly hint: string;

  constructor(category: TrainerFailureCategory, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TrainerError';
    this.category = category;
    this.hint = hint;
  }
}
