/** The Job controller and the garbage collector of Kubernetes, on a control plane that has no node. */
import { join } from 'node:path';
import { binary, ensureBinaries } from '../cluster/binaries.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { spawnLogged, stopProcess } from '../cluster/processes.ts';

/** Starts them; they end with the function that is returned, or with the calling process. */
export async function startJobController({
  directory,
  kubeconfig,
}: ControlPlane): Promise<() => Promise<void>> {
  await ensureBinaries(['kube-controller-manager']);
  const args = [
    `--kubeconfig=${kubeconfig}`,
    '--controllers=job-controller,garbage-collector-controller',
    '--leader-elect=false',
    '--secure-port=0',
  ];
  const command = ['--pdeathsig', 'KILL', '--', binary('kube-controller-manager'), ...args];
  const logFile = join(directory, 'kube-controller-manager.log');
  const { child, record } = await spawnLogged('setpriv', command, logFile, { detached: false });
  child.unref();
  return () => stopProcess(record, 0);
}
