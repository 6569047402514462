import { fullDisk } from '../disk.ts';
import { TrainerError } from '../failure.ts';

/** Names what a system error on the pod's own disk means for the run. */
export function localFailure(error: unknown, action: 'read' | 'write', file: string): TrainerError {
  if (error instanceof TrainerError) return error;
  const full = fullDisk(Object.assign(error as NodeJS.ErrnoException, { path: file }));
  if (full !== undefined) return full;
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return new TrainerError('Internal', `Cannot ${action} ${file}: ${code}.`, 'Look into the log of the pod.', {
    cause: error,
  });
}
