/** Answers for the trainers: each pod that trains is asked on its own address, and tells the progress of its own run. */
import { createServer, type Server } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import { httpPort } from '../../crds/trainer-contract.ts';
import { labels } from '../../operator/manifests/names.ts';
import { progressOf } from '../../test/operator/builders.ts';
import type { Sighting } from './witness.ts';

export class Trainers {
  /** By UID of the pod. */
  readonly #servers = new Map<string, Server>();
  /** Questions that were answered. */
  asked = 0;

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

  /** How many listen. */
  get active(): number {
    return this.#servers.size;
  }

  stop(): void {
    for (const uid of this.#servers.keys()) this.#stop(uid);
  }

  #start(podUid: string, address: string, run: { jobUid: string; runId: string }): void {
    const started = performance.now();
    const server = createServer((_, response) => {
      this.asked++;
      const seconds = (performance.now() - started) / 1000;
      // A step each two seconds, so that each answer tells something new.
      const step = Math.min(20, 1 + Math.floor(seconds / 2));
      const progress = progressOf(podUid, { step, trainSeconds: seconds, history: [[1, 0.7, null]] });
      response.end(JSON.stringify({ ...progress, ...run }));
    });
    server.listen(httpPort, address);
    this.#servers.set(podUid, server);
  }

  #stop(uid: string): void {
    const server = this.#servers.get(uid);
    this.#servers.delete(uid);
    server?.closeAllConnections();
    server?.close();
  }
}
