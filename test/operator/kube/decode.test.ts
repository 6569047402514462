import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '../../../operator/kube/decode.ts';
import { pods, type Resource } from '../../../operator/kube/resources.ts';

describe('decoding', () => {
  it('makes times Dates where the types say so, and leaves custom status and labels alone', () => {
    const time = '2026-01-02T03:04:05Z';
    const make = () => ({
      metadata: { name: 'p', creationTimestamp: time, managedFields: [{}], labels: { startTime: time } },
      status: { startTime: time, phase: time, conditions: [{ lastTransitionTime: time }] },
    });
    const pod = decode(make() as never, pods) as unknown as Record<string, Record<string, unknown>>;
    assert.equal(pod['kind'], 'Pod');
    assert.ok(pod['status']?.['startTime'] instanceof Date);
    assert.equal(pod['status']?.['phase'], time);
    assert.ok(pod['metadata']?.['creationTimestamp'] instanceof Date);
    assert.deepEqual(pod['metadata']?.['labels'], { startTime: time });
    assert.ok(!('managedFields' in pod['metadata']!));
    const custom: Resource = { ...pods, group: 'finetune.dev', kind: 'X' };
    const object = decode(make() as never, custom) as unknown as Record<string, Record<string, unknown>>;
    assert.equal(object['status']?.['startTime'], time);
    assert.equal(object['apiVersion'], 'finetune.dev/v1');
  });
});
