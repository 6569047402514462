import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { isAtLeast } from '../../../operator/kube/resource-version.ts';
import { controllerUid, Store } from '../../../operator/kube/store.ts';

function child(name: string, uid: string, resourceVersion: string, owner = 'boss'): KubernetesObject {
  const reference = { apiVersion: 'v1', kind: 'Boss', name: owner, uid: owner, controller: true };
  return { metadata: { namespace: 'n', name, uid, resourceVersion, ownerReferences: [reference] } };
}
const store = () => new Store<KubernetesObject, 'owner'>({ owner: (object) => controllerUid(object) ?? '' });
const types = (changes: { type: string }[]) => changes.map(({ type }) => type);

describe('store', () => {
  it('tells an update from a new object with the same name', () => {
    const objects = store();
    assert.deepEqual(types(objects.put(child('a', 'u1', '1'))), ['added']);
    assert.deepEqual(types(objects.put(child('a', 'u1', '2'))), ['updated']);
    const changes = objects.put(child('a', 'u2', '3'));
    assert.deepEqual(types(changes), ['deleted', 'added']);
    assert.equal(changes[0]?.object.metadata?.uid, 'u1');
    assert.equal(objects.size, 1);
  });

  it('counts what an index finds', () => {
    const objects = store();
    const counts = () => ['boss', 'other'].map((owner) => objects.count('owner', owner));
    assert.deepEqual(counts(), [0, 0]);
    for (const name of ['a', 'b', 'c']) objects.put(child(name, name, '1'));
    objects.put(child('c', 'c', '2', 'other'));
    assert.deepEqual(counts(), [2, 1]);
    objects.remove(child('a', 'a', '1'));
    objects.remove(child('b', 'b', '1'));
    assert.deepEqual(counts(), [0, 1]);
  });

  it('finds what changed between two lists and nothing else', () => {
    const objects = store();
    const replace = (list: KubernetesObject[]) => [
      ...objects.replace(list.map((object) => objects.listed(object))),
    ];
    replace([child('a', 'u1', '1'), child('b', 'u2', '2'), child('c', 'u3', '3')]);
    const changes = replace([child('a', 'u1', '1'), child('b', 'u2', '9'), child('c', 'u4', '8')]);
    assert.deepEqual(
      changes.map(({ type, object }) => `${type} ${object.metadata?.uid}`),
      ['updated u2', 'deleted u3', 'added u4'],
    );
    assert.deepEqual(types(replace([])), ['deleted', 'deleted', 'deleted']);
  });

  it('keeps its index right over update, change of owner and removal', () => {
    const objects = store();
    objects.put(child('a', 'u1', '1', 'one'));
    objects.put(child('b', 'u2', '2', 'one'));
    assert.equal(objects.by('owner', 'one').length, 2);
    objects.put(child('a', 'u1', '3', 'two'));
    assert.deepEqual(
      objects.by('owner', 'one').map(({ metadata }) => metadata?.name),
      ['b'],
    );
    assert.equal(objects.by('owner', 'two')[0]?.metadata?.resourceVersion, '3');
    objects.remove(child('a', 'u1', '4'));
    assert.deepEqual(objects.by('owner', 'two'), []);
    assert.deepEqual(objects.remove(child('a', 'u1', '4')), []);
  });
});

describe('resource versions', () => {
  it('compare as numbers of any length, and only for equality when they are not numbers', () => {
    assert.ok(isAtLeast('10', '9'));
    assert.ok(isAtLeast('9', '9'));
    assert.ok(!isAtLeast('9', '10'));
    assert.ok(isAtLeast('90071992547409930', '90071992547409929'));
    assert.ok(isAtLeast('abc', 'abc'));
    assert.ok(!isAtLeast('b', 'a'));
    assert.ok(!isAtLeast(undefined, '1'));
  });
});
