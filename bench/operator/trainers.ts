/** Answers for the trainers: each pod that trains is asked on its own address, and tells the progress of its own run. */
import { createServer, type Server } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import { httpPort } from '../../crds/trainer-contract.ts';
import { labels } from '../../operator/manifests/names.ts';
import { progressOf } from '../../test/operator/builders.ts';
import type { Sighting } from './witness.ts';

/** Many, so that each answer tells something new; the end tells one more. */
const steps = 20;

export class Trainers {
  readonly #trainSeconds: number;
  /** By UID of the pod. */
  readonly #servers = new Map<string, Server>();
  /** The most that listened at a time. */
  peak = 0;

  constructor(trainMs: number) {
    this.#trainSeconds = trainMs / 1000;
  }

  /** A trainer listens from the time its pod has an address, so before its container runs, to its end. */
  see({ type, object: { metadata, status } }: Sighting<V1Pod>): void {
    const uid = metadata?.uid ?? '';
    const over = type === 'DELETED' || status?.phase === 'Succeeded' || status?.phase === 'Failed';
    if (over) this.#stop(uid);
    else if (status?.podIP !== undefined && !this.#servers.has(uid)) {
      const own = metadata?.labels ?? {};
      this.#start(uid, status.podIP, { jobUid: own[labels.jobUid] ?? '', runId: own[labels.run] ?? '' });
    }
  }

  stop(): void {
    for (const uid of this.#servers.keys()) this.#stop(uid);
  }

  #start(podUid: string, address: string, run: { jobUid: string; runId: string }): void {
    const started = performance.now();
    const server = createServer((_, response) => {
      const seconds = (performance.now() - started) / 1000;
      const step = Math.min(steps, 1 + Math.floor((seconds / this.#trainSeconds) * steps));
      const progress = progressOf(podUid, { step, trainSeconds: seconds, history: [[1, 0.7, null]] });
      response.end(JSON.stringify({ ...progress, ...run }));
    });
    server.listen(httpPort, address);
    this.#servers.set(podUid, server);
    this.peak = Math.max(this.peak, this.#servers.size);
  }

  #stop(uid: string): void {
    const server = this.#servers.get(uid);
    this.#servers.delete(uid);
    server?.closeAllConnections();
    server?.close();
  }
}
