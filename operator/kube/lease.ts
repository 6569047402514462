/** The Lease as stored, and the pure part of the election: what to do about what was read. */

/** coordination.k8s.io/v1 LeaseSpec with its times as the strings of the wire. */
export type LeaseSpec = {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
};

export type Lease = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; uid?: string; resourceVersion?: string };
  spec?: LeaseSpec;
};

/** The version of the lease that was read last, and the local time at which it was first read. */
export type Sighting = { resourceVersion: string | undefined; firstSeenAt: number };

export function sight(previous: Sighting | undefined, lease: Lease, now: number): Sighting {
  const { resourceVersion } = lease.metadata;
  return previous?.resourceVersion === resourceVersion && previous !== undefined
    ? previous
    : { resourceVersion, firstSeenAt: now };
}

/** Whether a candidate may take the lease. */
export function mayTake(lease: Lease, sighting: Sighting, identity: string, now: number): boolean {
  const { holderIdentity } = lease.spec ?? {};
  return !holderIdentity || holderIdentity === identity || runsOutInMs(lease, sighting, now) <= 0;
}

/**
 * Milliseconds until the lease has run out, if nobody renews it. The times inside it are another machine's and are not
 * trusted: it has run out when it did not change for its duration, measured here.
 */
export function runsOutInMs({ spec }: Lease, { firstSeenAt }: Sighting, now: number): number {
  return firstSeenAt + (spec?.leaseDurationSeconds ?? 0) * 1000 - now;
}

/** The spec after `identity` took or renewed the lease. */
export function held(
  spec: LeaseSpec | undefined,
  identity: string,
  durationMs: number,
  date: Date,
): LeaseSpec {
  const time = microTime(date);
  const kept = spec?.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime: kept ? (spec.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: (spec?.leaseTransitions ?? 0) + (kept || spec === undefined ? 0 : 1),
  };
}

/** The spec after its holder let go: anybody may take it at once. */
export function released(spec: LeaseSpec, date: Date): LeaseSpec {
  return { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(date) };
}

/** metav1.MicroTime takes exactly six digits. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
