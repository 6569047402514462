import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventNameOf, nameOf, type Watched } from './requests.ts';

const labels = { 'finetune.dev/stage': 'train' };
const isTrue = (type: string) => ({ type, status: 'True' });
const ready = { type: 'Ready', reason: 'TrainingRunning' };

describe('names of requests', () => {
  const rows: [string, string, object, object][] = [
    ['POST', '/apis/batch/v1/namespaces/a/jobs', { metadata: { labels } }, { id: 'create-job-train' }],
    ['PATCH', '/apis/batch/v1/namespaces/a/jobs/spam-0-train', {}, { id: 'patch-job-train' }],
    ['DELETE', '/apis/batch/v1/namespaces/a/jobs/spam-0-preflight', {}, { id: 'delete-job-preflight' }],
    [
      'PUT',
      '/apis/finetune.dev/v1alpha1/namespaces/a/finetunejobs/spam/status',
      { status: { phase: 'Training', conditions: [ready] } },
      { id: 'status-Training-TrainingRunning' },
    ],
    ['POST', '/api/v1/namespaces/a/events', { reason: 'Resumed' }, { id: 'event-Resumed' }],
    ['GET', '/api/v1/pods?watch=true', {}, { kind: 'watch', resource: 'pods' }],
    ['GET', '/api/v1/pods', {}, { kind: 'list', resource: 'pods' }],
    ['GET', '/apis/batch/v1/namespaces/a/jobs/spam-0-train', {}, { kind: 'read', id: 'read-job-train' }],
    [
      'GET',
      '/apis/finetune.dev/v1alpha1/namespaces/a/finetunejobs/spam',
      {},
      { kind: 'read', id: 'read-finetunejobs' },
    ],
    [
      'GET',
      '/apis/coordination.k8s.io/v1/namespaces/a/leases/finetune-operator',
      {},
      { kind: 'read', id: 'read-leases' },
    ],
    ['GET', '/version', {}, { kind: 'other' }],
  ];
  for (const [method, path, body, want] of rows)
    it(`${method} ${path}`, () => {
      const url = new URL(path, 'https://api');
      assert.partialDeepStrictEqual(nameOf({ method, url, body: JSON.stringify(body) }), want);
    });
});

describe('names of events', () => {
  const spoken = { observedGeneration: 2, phase: 'Training', conditions: [ready] };
  const rows: [Watched, string, object, string][] = [
    ['finetunejobs', 'ADDED', { metadata: { generation: 1 } }, 'new'],
    ['finetunejobs', 'MODIFIED', { metadata: { generation: 2 }, status: spoken }, 'Training-TrainingRunning'],
    ['finetunejobs', 'MODIFIED', { metadata: { generation: 3 }, status: spoken }, 'spec'],
    ['finetunejobs', 'MODIFIED', { metadata: { deletionTimestamp: 'now' } }, 'deleting'],
    ['jobs', 'ADDED', { metadata: { labels } }, 'train-new'],
    ['jobs', 'MODIFIED', { metadata: { labels }, status: { startTime: 'now', active: 1 } }, 'train-active'],
    ['jobs', 'MODIFIED', { metadata: { labels }, status: { startTime: 'now' } }, 'train-idle'],
    ['jobs', 'MODIFIED', { metadata: { labels }, spec: { suspend: true } }, 'train-suspended'],
    [
      'jobs',
      'MODIFIED',
      { metadata: { labels }, status: { conditions: [isTrue('Complete')] } },
      'train-Complete',
    ],
    ['pods', 'ADDED', { metadata: { labels }, status: { phase: 'Pending' } }, 'train-Pending'],
    [
      'pods',
      'MODIFIED',
      { metadata: { labels }, status: { phase: 'Pending', conditions: [isTrue('PodScheduled')] } },
      'train-Bound',
    ],
    [
      'pods',
      'MODIFIED',
      { metadata: { labels, deletionTimestamp: 'now' }, status: { phase: 'Failed' } },
      'train-deleting-Failed',
    ],
    ['pods', 'DELETED', { metadata: { labels } }, 'deleted'],
    ['pods', 'ERROR', { code: 410 }, 'error'],
  ];
  for (const [resource, type, object, name] of rows)
    it(`${resource} ${name}`, () => {
      assert.equal(eventNameOf(resource, JSON.stringify({ type, object })), `event-of-${resource}-${name}`);
    });
});
