import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { held, type Lease, mayTake, released, sight } from '../../../operator/kube/lease.ts';

describe('lease', () => {
  const lease = (resourceVersion: string, holderIdentity: string): Lease => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'l', namespace: 'n', resourceVersion },
    spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: '2001-01-01T00:00:00.000000Z' },
  });

  it('of another runs out when it was not renewed for its duration on the local clock, whatever it says', () => {
    const first = sight(undefined, lease('1', 'other'), 1000);
    assert.equal(mayTake(lease('1', 'other'), first, 'me', 1000), false, 'an old renewTime proves nothing');
    assert.equal(mayTake(lease('1', 'other'), first, 'me', 15_999), false);
    assert.equal(mayTake(lease('1', 'other'), sight(first, lease('1', 'other'), 9000), 'me', 16_000), true);
    const renewed = sight(first, lease('2', 'other'), 9000);
    assert.equal(mayTake(lease('2', 'other'), renewed, 'me', 16_000), false);
  });

  it('that is free, or was ours, is taken at once', () => {
    const now = sight(undefined, lease('1', ''), 0);
    assert.equal(mayTake(lease('1', ''), now, 'me', 0), true);
    assert.equal(mayTake(lease('1', 'me'), now, 'me', 0), true);
  });

  it('counts changes of hands, keeps the time of taking over, and writes six digits', () => {
    const date = new Date('2026-01-02T03:04:05.678Z');
    const taken = held(lease('1', 'other').spec, 'me', 15_000, date);
    assert.deepEqual(taken, {
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-02T03:04:05.678000Z',
      renewTime: '2026-01-02T03:04:05.678000Z',
      leaseTransitions: 1,
    });
    const renewed = held(taken, 'me', 15_000, new Date('2026-01-02T03:04:07.000Z'));
    assert.equal(renewed.acquireTime, taken.acquireTime);
    assert.equal(renewed.leaseTransitions, 1);
    assert.equal(released(renewed, date).holderIdentity, '');
    assert.equal(released(renewed, date).leaseDurationSeconds, 1);
  });
});
