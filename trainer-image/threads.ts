import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * CPUs that this process may really use: those it may be scheduled on, or fewer where a cgroup (version 2 or 1)
 * grants less time. Threads beyond that only wait for each other.
 */
export function usableCpus(cgroups = '/sys/fs/cgroup', processors = availableParallelism()): number {
  const quota = quotaV2(cgroups) ?? quotaV1(cgroups) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(processors, Math.ceil(quota)));
}

/** `cpu.max` holds "quota period" in microseconds, or "max period". */
function quotaV2(cgroups: string): number | undefined {
  const [quota, period] = read(`${cgroups}/cpu.max`)?.split(' ') ?? [];
  return quotient(quota, period);
}

/** A quota of -1 means no limit. */
function quotaV1(cgroups: string): number | undefined {
  return quotient(read(`${cgroups}/cpu/cpu.cfs_quota_us`), read(`${cgroups}/cpu/cpu.cfs_period_us`));
}

function quotient(quota: string | undefined, period: string | undefined): number | undefined {
  const cpus = Number(quota) / Number(period);
  return cpus > 0 && Number.isFinite(cpus) ? cpus : undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Variables that TensorFlow reads when its library is loaded; those that are set already stay as they are. */
export function tensorflowEnvironment(variables: NodeJS.ProcessEnv, cpus: number): Record<string, string> {
  const defaults = {
    TF_NUM_INTRAOP_THREADS: String(cpus),
    TF_NUM_INTEROP_THREADS: String(cpus),
    // Off by default on processors without AVX-512; batched products and softmax are several times faster with it.
    TF_ENABLE_ONEDNN_OPTS: '1',
    TF_CPP_MIN_LOG_LEVEL: '1',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  };
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => variables[name] === undefined));
}
