import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesOf, overlap } from './addresses.ts';
import { canonicalReference } from './image-store.ts';

test('networks overlap when one holds the other', () => {
  const cases: [string, string, boolean][] = [
    ['10.0.0.0/8', '10.244.3.0/24', true],
    ['10.244.3.0/24', '10.244.3.128/25', true],
    ['10.244.3.0/24', '10.244.4.0/24', false],
    ['192.168.0.0/16', '10.244.4.0/24', false],
    ['10.244.3.7', '10.244.3.0/24', true],
    ['0.0.0.0/0', '10.244.3.0/24', true],
    ['200.1.0.0/16', '200.2.0.0/16', false],
  ];
  for (const [a, b, expected] of cases) {
    assert.equal(overlap(a, b), expected, `${a} ${b}`);
    assert.equal(overlap(b, a), expected, `${b} ${a}`);
  }
});

test('no two slots share a network or a link', () => {
  const all = Array.from({ length: 200 }, (_, slot) => addressesOf(slot));
  const values = all.flatMap(({ slot: _, ...rest }) => Object.values(rest));
  assert.equal(new Set(values).size, values.length);
});

test('image references are completed the way container runtimes do it', () => {
  const cases: Record<string, string> = {
    busybox: 'docker.io/library/busybox:latest',
    'busybox:1': 'docker.io/library/busybox:1',
    'team/app:2': 'docker.io/team/app:2',
    'finetune.dev/operator:dev': 'finetune.dev/operator:dev',
    'localhost/operator': 'localhost/operator:latest',
    'registry:5000/a/b': 'registry:5000/a/b:latest',
  };
  for (const [short, full] of Object.entries(cases)) assert.equal(canonicalReference(short), full);
});
