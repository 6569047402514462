import { TrainerError } from '../failure.ts';

/** The units in /proc/cpuinfo that multiply in bfloat16, as Linux names them on x86 and on arm64. */
const units = /^(?:flags|Features)\s*:.*\s(?:avx512_bf16|amx_bf16|bf16)(?:\s|$)/m;

/**
 * Whether products in bfloat16 make sense on a CPU. Without such a unit TensorFlow computes them with plain instructions:
 * several times slower than in float32 on a processor with AVX-512, more than a hundred times slower on one without.
 */
export function hasBf16Units(cpuinfo: string): boolean {
  return units.test(cpuinfo);
}

/** @throws TrainerError ConfigError when the processor has no unit for bfloat16 */
export function requireBf16Units(cpuinfo: string): void {
  if (hasBf16Units(cpuinfo)) return;
  throw new TrainerError(
    'ConfigError',
    'training.bf16 is true, but this processor has no unit for bfloat16 (AVX512_BF16 or AMX): every step would take several times as long as in float32.',
    'Set training.bf16 to false, or take a FineTuneRuntime whose nodes have such processors or an accelerator.',
  );
}
