/**
 * Plays scheduler and kubelet for the pods of one namespace: each is bound, runs, and ends as its script says. Pods are
 * answered for on an address of their own, where a trainer would tell its progress.
 */
import { createServer, type Server } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import { httpPort } from '../../crds/trainer-contract.ts';
import { annotations, labels } from '../../operator/manifests/names.ts';
import { endedStatus, interrupted, progressOf, runningFrom, start, validated } from '../operator/builders.ts';
import { collections, type DirectApi, pathOf, Refusal } from './direct-api.ts';
import type { Scene, Sighting } from './witness.ts';

/** Whose pod it is, and what it should do: its place among the pods of its stage and run. */
export type Cast = {
  jobUid: string;
  /** 1 = the first job of the namespace. */
  incarnation: number;
  runId: string;
  stage: string;
  attempt: number;
  podUid: string;
};

/** The end of a pod; `message` is its termination message. */
export type End = { exitCode: number; message: unknown; reason?: string; status?: object };
export type Role = {
  /** Awaited before it ends: what the operator should have noticed by then. */
  before?: (cast: Cast) => Promise<unknown>;
  /** 'stays' = runs until it is deleted; 'pends' = no node takes it. */
  end: End | 'stays' | 'pends';
  /** Awaited between the end of a pod that was stopped and its removal. */
  after?: () => Promise<unknown>;
};

type Options = {
  api: DirectApi;
  scene: Scene;
  namespace: string;
  address: string;
  roleOf: (cast: Cast) => Role;
  /** Awaited before a pod is bound. */
  noticed: (cast: Cast) => Promise<unknown>;
};

export class Kubelet {
  readonly #options: Options;
  readonly #plays = new Map<string, Promise<void>>();
  readonly #attempts = new Map<string, number>();
  readonly #jobUids: string[] = [];
  readonly #ending = new Set<string>();
  readonly #roles = new Map<string, Cast>();
  readonly #after = new Map<string, () => Promise<unknown>>();
  #server: Server | undefined;
  /** What went wrong with the play itself. */
  readonly complaints: string[] = [];
  readonly #onPod = (sighting: Sighting) => this.#see(sighting);

  constructor(options: Options) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#server = createServer((_, response) => {
      const live = [...this.#roles.values()].findLast(({ stage }) => stage === 'train');
      if (live === undefined) response.writeHead(503).end();
      else response.end(JSON.stringify(progressFor(live)));
    });
    const { address, scene } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server?.once('error', reject).listen(httpPort, address, resolve);
    });
    scene.listeners.add(this.#onPod);
  }

  async stop(): Promise<void> {
    this.#options.scene.listeners.delete(this.#onPod);
    this.#server?.closeAllConnections();
    this.#server?.close();
    await Promise.all(this.#plays.values());
  }

  #see({ type, object }: Sighting): void {
    if (object.kind !== 'Pod') return;
    const pod = object as V1Pod;
    const uid = pod.metadata?.uid ?? '';
    if (type === 'DELETED') this.#roles.delete(uid);
    else if (pod.metadata?.deletionTimestamp !== undefined)
      this.#play(`end ${uid}`, () => this.#terminate(pod));
    else if (type === 'ADDED' && pod.metadata?.labels?.[labels.jobUid] !== undefined)
      this.#play(uid, () => this.#run(pod));
  }

  #play(key: string, act: () => Promise<void>): void {
    if (this.#plays.has(key)) return;
    const played = act().catch((error) => {
      // The pod was deleted, or replaced, while it was played.
      if (error instanceof Refusal && [404, 409, 422].includes(error.status)) return;
      this.complaints.push(`kubelet: ${error instanceof Error ? error.message : error}`);
    });
    this.#plays.set(key, played);
  }

  async #run(pod: V1Pod): Promise<void> {
    const cast = this.#cast(pod);
    const { api, namespace, address, roleOf, noticed } = this.#options;
    const name = pod.metadata!.name!;
    if (pod.metadata?.annotations?.[annotations.runConfig] === undefined) {
      this.complaints.push(`${name} has no run config: no trainer could start`);
    }
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name },
      target: { kind: 'Node', name: 'node-1' },
    };
    const role = roleOf(cast);
    if (role.after) this.#after.set(cast.podUid, role.after);
    await noticed(cast);
    if (role.end === 'pends') return;
    await api.call('POST', `${pathOf(collections.pods, namespace, name)}/binding`, binding);
    // From now on: the operator counts how long a container runs.
    const running = runningFrom(Math.floor((Date.now() - start.getTime()) / 1000));
    await this.#set(pod, { ...running, podIP: address, podIPs: [{ ip: address }] });
    this.#roles.set(cast.podUid, cast);
    await role.before?.(cast);
    if (role.end === 'stays' || this.#ending.has(cast.podUid)) return;
    this.#roles.delete(cast.podUid);
    await this.#end(pod, role.end);
  }

  /** SIGTERM: a trainer saves a checkpoint and says so; then the pod is gone. */
  async #terminate(pod: V1Pod): Promise<void> {
    const { api, namespace } = this.#options;
    const uid = pod.metadata?.uid ?? '';
    this.#ending.add(uid);
    const phase = pod.status?.phase;
    if (phase !== 'Failed' && phase !== 'Succeeded') {
      const said = { ...interrupted(uid), ...identityOf(pod) };
      const trained = pod.metadata?.labels?.[labels.stage] === 'train' && phase === 'Running';
      await this.#end(pod, { exitCode: 143, message: trained ? said : '' });
      if (trained) await this.#after.get(uid)?.();
    }
    this.#roles.delete(uid);
    const path = pathOf(collections.pods, namespace, pod.metadata!.name!);
    await api.call('DELETE', path, { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  async #end(pod: V1Pod, { exitCode, message, reason, status }: End): Promise<void> {
    await this.#set(pod, { ...endedStatus(exitCode, message, reason), ...status });
  }

  async #set(pod: V1Pod, status: object): Promise<void> {
    const { api, namespace } = this.#options;
    const path = `${pathOf(collections.pods, namespace, pod.metadata!.name!)}/status`;
    await api.call('PATCH', path, { metadata: { uid: pod.metadata?.uid }, status });
  }

  #cast(pod: V1Pod): Cast {
    const own = pod.metadata?.labels ?? {};
    const { jobUid, runId } = identityOf(pod);
    const stage = own[labels.stage] ?? '';
    const key = `${jobUid} ${runId} ${stage}`;
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    if (!this.#jobUids.includes(jobUid)) this.#jobUids.push(jobUid);
    const incarnation = this.#jobUids.indexOf(jobUid) + 1;
    return { jobUid, incarnation, runId, stage, attempt, podUid: pod.metadata?.uid ?? '' };
  }
}

function identityOf(pod: V1Pod): { jobUid: string; runId: string } {
  const own = pod.metadata?.labels ?? {};
  return { jobUid: own[labels.jobUid] ?? '', runId: own[labels.run] ?? '' };
}

/** The same at every question, and no point of the curve that the result does not have. */
function progressFor({ podUid, jobUid, runId }: Cast) {
  return { ...progressOf(podUid, { history: [[1, 0.7, null]] }), jobUid, runId };
}

/** A preflight that passed. */
export function passed({ podUid, jobUid, runId }: Cast): End {
  return { exitCode: 0, message: { ...validated(podUid), jobUid, runId } };
}
