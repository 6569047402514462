import { fullDisk } from './disk.ts';
import { TrainerError } from './failure.ts';
import type { OutcomeOf } from './messages.ts';
import { internalFailure } from './result.ts';

type Failed = OutcomeOf<'Failed'>;

/** The outcome for an error that ended the run; `step` is the last one that was known. */
export function outcomeOfError(error: unknown, step?: number): Failed {
  const at = step === undefined ? {} : { step };
  const named = error instanceof TrainerError ? error : fullDisk(error);
  if (named !== undefined) {
    return {
      outcome: 'Failed',
      category: named.category,
      message: named.message,
      hint: named.hint,
      ...at,
    };
  }
  const { message, code } = toError(error);
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return {
      outcome: 'Failed',
      category: 'HostOutOfMemory',
      message: 'The JavaScript heap of the worker thread is full.',
      hint: 'Give the trainer more memory (spec.resources.memory) or less data.',
      ...at,
    };
  }
  return { ...internalFailure(message), ...at };
}

/**
 * TensorFlow says only in words that an allocation failed. Those words become a category: the accelerator's memory
 * where one is used, else the pod's.
 */
export function withMemoryCategory(error: unknown, gpu: boolean, batchSize: number): unknown {
  const { message } = toError(error);
  if (
    error instanceof TrainerError ||
    !/RESOURCE_EXHAUSTED|OOM when allocating|out of memory/i.test(message)
  ) {
    return error;
  }
  const firstLine = message.split('\n')[0] ?? '';
  return gpu
    ? new TrainerError(
        'AcceleratorOutOfMemory',
        `The accelerator has too little memory for batches of ${batchSize} rows: ${firstLine}`,
        'Set training.gradientCheckpointing, lower training.batchSize and raise training.gradientAccumulationSteps as much, or ask for an accelerator with more memory.',
        { cause: error },
      )
    : new TrainerError(
        'HostOutOfMemory',
        `There is too little memory for batches of ${batchSize} rows: ${firstLine}`,
        'Raise spec.resources.memory, set training.gradientCheckpointing, or lower training.batchSize and raise training.gradientAccumulationSteps as much.',
        { cause: error },
      );
}

function toError(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined };
  return { message: `${error.name}: ${error.message}`, code: (error as NodeJS.ErrnoException).code };
}
