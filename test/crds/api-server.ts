/** A real kube-apiserver with our CRDs, and requests to it whose refusals can be compared. */

import { join } from 'node:path';
import { CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { group, resources, version } from '../../crds/crd.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import type { KubeObject } from './objects.ts';

/** What the API server says to a request: the stored object, or the field that is wrong and why. */
export type Answer =
  | { accepted: true; object: KubeObject }
  | { accepted: false; code: number; causes: { field: string; message: string }[]; message: string };

export type ApiServer = {
  kubectl: ControlPlane['kubectl'];
  /** Strict creation that stores nothing. */
  tryCreate(object: KubeObject): Promise<Answer>;
  create(object: KubeObject, fieldValidation?: 'Strict' | 'Ignore'): Promise<Answer>;
  update(object: KubeObject): Promise<Answer>;
  updateStatus(object: KubeObject): Promise<Answer>;
  read(object: KubeObject): Promise<Answer>;
  stop(): Promise<void>;
};

const pluralOf = new Map(resources.map(({ kind, plural }) => [kind, plural]));

/** Starts the server and waits until it serves both resources. */
export async function startApiServer(name: string): Promise<ApiServer> {
  const plane = await startControlPlane(name);
  try {
    await installDefinitions(plane);
  } catch (error) {
    await plane.stop();
    throw error;
  }
  const config = new KubeConfig();
  config.loadFromFile(plane.kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const target = ({ kind, metadata }: KubeObject) => {
    const plural = pluralOf.get(kind);
    if (plural === undefined) throw new Error(`no CRD for ${kind}`);
    return { group, version, plural, name: metadata.name, namespace: metadata.namespace ?? '' };
  };
  const create = (body: KubeObject, options: { dryRun?: string; fieldValidation: string }) =>
    body.metadata.namespace === undefined
      ? api.createClusterCustomObject({ ...target(body), body, ...options })
      : api.createNamespacedCustomObject({ ...target(body), body, ...options });
  const strict = { fieldValidation: 'Strict' };
  return {
    kubectl: plane.kubectl,
    tryCreate: (object) => answerOf(create(object, { ...strict, dryRun: 'All' })),
    create: (object, fieldValidation = 'Strict') => answerOf(create(object, { fieldValidation })),
    update: (body) => answerOf(api.replaceNamespacedCustomObject({ ...target(body), body, ...strict })),
    updateStatus: (body) =>
      answerOf(api.replaceNamespacedCustomObjectStatus({ ...target(body), body, ...strict })),
    read: (object) => answerOf(api.getNamespacedCustomObject(target(object))),
    stop: () => plane.stop(),
  };
}

async function installDefinitions({ kubectl }: ControlPlane): Promise<void> {
  const files = resources.map(({ plural }) => join(import.meta.dirname, '../../crds', `${plural}.yaml`));
  await kubectl(['create', ...files.flatMap((file) => ['-f', file])]);
  const names = resources.map(({ plural }) => `crd/${plural}.${group}`);
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
}

type Status = { message?: string; details?: { causes?: { field?: string; message?: string }[] } };

async function answerOf(request: Promise<unknown>): Promise<Answer> {
  try {
    return { accepted: true, object: (await request) as KubeObject };
  } catch (error) {
    const { code, body } = error as { code?: number; body?: string };
    if (code === undefined || body === undefined) throw error;
    const status = JSON.parse(body) as Status;
    const causes = (status.details?.causes ?? []).map(({ field = '', message = '' }) => ({ field, message }));
    return { accepted: false, code, causes, message: status.message ?? '' };
  }
}
