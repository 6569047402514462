import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pathOf, pods, type Resource } from '../../../operator/kube/resources.ts';

describe('paths', () => {
  it('name group, namespace, object and subresource', () => {
    const jobs: Resource = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true };
    assert.equal(pathOf(pods), '/api/v1/pods');
    assert.equal(pathOf(pods, { namespace: 'a', name: 'b' }), '/api/v1/namespaces/a/pods/b');
    const status = { namespace: 'a', name: '../x', subresource: 'status' };
    assert.equal(pathOf(jobs, status), '/apis/batch/v1/namespaces/a/jobs/..%2Fx/status');
    assert.equal(
      pathOf({ ...jobs, namespaced: false }, { namespace: 'a', name: 'b' }),
      '/apis/batch/v1/jobs/b',
    );
  });
});
