import { TrainerError } from '../failure.ts';

/** Names what a system error on the pod's own disk means for the run. */
export function localFailure(error: unknown, action: 'read' | 'write', file: string): TrainerError {
  if (error instanceof TrainerError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new TrainerError(
      'ConfigError',
      `The work volume is full: cannot write ${file} (${code}).`,
      'The model and the dataset must fit on the work volume of the pod: give it more room in the FineTuneRuntime.',
      { cause: error },
    );
  }
  return new TrainerError('Internal', `Cannot ${action} ${file}: ${code}.`, 'Look into the log of the pod.', {
    cause: error,
  });
}
