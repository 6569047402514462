import type { FailureCategory } from '../../../crds/failures.ts';
import { TrainerError } from '../../../trainer-image/failure.ts';

/** True for a failure of this category that says what to do; throws anything else on. */
export function isRefusal(error: unknown, category: FailureCategory): true {
  if (error instanceof TrainerError && error.category === category && error.hint !== '') return true;
  throw error;
}
