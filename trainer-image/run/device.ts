import { readFileSync } from 'node:fs';
import { TrainerError } from '../failure.ts';
import { type Binding, deviceOf, openBinding } from '../graph/binding.ts';
import { requireBf16Units } from './bf16.ts';
import type { Context } from './context.ts';

export type Device = {
  binding: Binding;
  name: 'GPU' | 'CPU';
  tensorflow: string;
  /** Why this is not the device that was asked for. */
  warning?: string;
};

/**
 * Loads TensorFlow and says what it computes on.
 * @throws TrainerError AcceleratorUnusable when an accelerator was requested, TensorFlow cannot use it and the runtime
 * does not allow the CPU instead: TensorFlow itself would silently go on, a hundred times slower; ConfigError when a CPU
 * is to compute in bfloat16 and has no unit for it
 */
export function openDevice(context: Context): Device {
  const device = usableDevice(context);
  if (device.name === 'CPU' && context.config.training.bf16)
    requireBf16Units(readFileSync('/proc/cpuinfo', 'utf8'));
  return device;
}

function usableDevice({ config, tensorflowDirectory, log }: Context): Device {
  const binding = openBinding(tensorflowDirectory);
  const { version, gpu } = deviceOf(binding);
  const { count, resourceName, whenUnusable } = config.accelerator;
  if (gpu || count === 0) return { binding, name: gpu ? 'GPU' : 'CPU', tensorflow: version };
  const warning = `${count} ${resourceName} requested, but TensorFlow ${version} finds no GPU that it can use`;
  if (whenUnusable === 'Fail') {
    throw new TrainerError(
      'AcceleratorUnusable',
      `${warning}.`,
      'Check that the node has an NVIDIA driver for CUDA 12, that the trainer image is the GPU variant and that the resource is really a GPU. A FineTuneRuntime with accelerator.whenUnusable: UseCPU trains on the CPU instead.',
    );
  }
  log.warn('training on the CPU in place of the accelerator', { resourceName, count, tensorflow: version });
  return { binding, name: 'CPU', tensorflow: version, warning };
}
