import { binary } from './binaries.ts';
import { run } from './command.ts';

/** Runs kubectl and returns its stdout; throws with stderr. */
export type Kubectl = (
  args: string[],
  options?: { input?: string; timeoutMs?: number; allowFailure?: boolean },
) => Promise<string>;

/** kubectl bound to one cluster, deaf to the user's own kubeconfig. */
export function kubectlFor(kubeconfig: string): Kubectl {
  return (args, options = {}) =>
    run(binary('kubectl'), ['--kubeconfig', kubeconfig, ...args], { ...options, env: directEnvironment() });
}

/** helm bound to one cluster. */
export function helmFor(kubeconfig: string) {
  return (args: string[], options: { timeoutMs?: number } = {}): Promise<string> =>
    run(binary('helm'), ['--kubeconfig', kubeconfig, ...args], {
      timeoutMs: 300_000,
      ...options,
      env: directEnvironment(),
    });
}

/** The environment, with the clusters' addresses taken out of the reach of any HTTP proxy. */
export function directEnvironment(): NodeJS.ProcessEnv {
  const ours = '127.0.0.1,localhost,10.244.0.0/16,10.245.0.0/16,10.96.0.0/16';
  const list = [process.env['NO_PROXY'] ?? process.env['no_proxy'], ours].filter(Boolean).join(',');
  return { ...process.env, NO_PROXY: list, no_proxy: list };
}
