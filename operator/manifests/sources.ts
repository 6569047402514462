/** Where model, dataset and output are: as the trainer reads it in the run config, and as volumes of the pod. */
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { Source } from '../../crds/source.schema.ts';
import { type Location, paths } from '../../crds/trainer-contract.ts';

export const roles = ['model', 'dataset', 'output'] as const;
export type Role = (typeof roles)[number];

export function sourceOf(spec: FineTuneJobSpec, role: Role): Source {
  return role === 'dataset' ? spec.dataset.source : spec[role];
}

/** What the run config says about the folder of a role. Throws if the source has no member. */
export function locationOf(spec: FineTuneJobSpec, role: Role): Location {
  const { s3, persistentVolumeClaim } = sourceOf(spec, role);
  if (s3 !== undefined) {
    const prefix = s3.prefix ?? '';
    return {
      kind: 's3',
      uri: prefix === '' ? `s3://${s3.bucket}` : `s3://${s3.bucket}/${prefix}`,
      endpoint: s3.endpoint,
      bucket: s3.bucket,
      prefix,
      region: s3.region,
      ...(s3.credentialsSecretRef && { credentialsDirectory: credentialsDirectory(role) }),
    };
  }
  if (persistentVolumeClaim === undefined) throw new Error(`spec names no source for the ${role}`);
  const { claimName, path } = persistentVolumeClaim;
  const below = path === undefined ? '' : `/${path}`;
  return {
    kind: 'volume',
    uri: `pvc://${claimName}${below}`,
    directory: `${volumeDirectory(role)}${below}`,
  };
}

/** S3 endpoints that the job names, each once. */
export function endpointsOf(spec: FineTuneJobSpec): string[] {
  const endpoints = roles.flatMap((role) => sourceOf(spec, role).s3?.endpoint ?? []);
  return [...new Set(endpoints)];
}

/** Secrets and claims that the pods mount, for messages: "Secret s3-credentials". */
export function mountedObjects(spec: FineTuneJobSpec): string[] {
  const names = roles.flatMap((role) => {
    const { s3, persistentVolumeClaim } = sourceOf(spec, role);
    if (persistentVolumeClaim !== undefined)
      return `PersistentVolumeClaim ${persistentVolumeClaim.claimName}`;
    return s3?.credentialsSecretRef === undefined ? [] : `Secret ${s3.credentialsSecretRef.name}`;
  });
  return [...new Set(names)];
}

/**
 * Volumes for Secrets and claims. Each role has a folder of its own, so a claim that serves as model and as output
 * is read-only in the one place and writable in the other.
 */
export function sourceVolumes(spec: FineTuneJobSpec): { volumes: V1Volume[]; mounts: V1VolumeMount[] } {
  const volumes = new Map<string, V1Volume>();
  const mounts: V1VolumeMount[] = [];
  for (const role of roles) {
    const { s3, persistentVolumeClaim } = sourceOf(spec, role);
    const secretName = s3?.credentialsSecretRef?.name;
    if (secretName !== undefined) {
      const name = `credentials-${role}`;
      volumes.set(name, { name, secret: { secretName, defaultMode: 0o440 } });
      mounts.push({ name, mountPath: credentialsDirectory(role), readOnly: true });
    }
    if (persistentVolumeClaim !== undefined) {
      const { claimName } = persistentVolumeClaim;
      const name = [...volumes.values()].find((v) => v.persistentVolumeClaim?.claimName === claimName)?.name;
      const volume = name ?? `volume-${role}`;
      if (name === undefined) volumes.set(volume, { name: volume, persistentVolumeClaim: { claimName } });
      mounts.push({ name: volume, mountPath: volumeDirectory(role), readOnly: role !== 'output' });
    }
  }
  return { volumes: [...volumes.values()], mounts };
}

function credentialsDirectory(role: Role): string {
  return `${paths.credentials}/${role}`;
}

function volumeDirectory(role: Role): string {
  return `${paths.volumes}/${role}`;
}
