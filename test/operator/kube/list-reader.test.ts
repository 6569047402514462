import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ListReader } from '../../../operator/kube/list-reader.ts';

/** What comes of a text that arrives so many bytes at a time. */
function read(text: string, size: number): { items: unknown[]; frame: unknown } {
  const items: unknown[] = [];
  const reader = new ListReader((item) => items.push(JSON.parse(item)));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) reader.feed(bytes.subarray(at, at + size));
  return { items, frame: JSON.parse(reader.frame) };
}

const tricky = [
  { metadata: { name: 'ö"}],{', labels: { '"items":': '[{' } }, spec: { items: [{ a: 1 }, [{}]] } },
  { path: 'C:\\', quote: '\\"', emoji: '😀' },
  {},
  { items: [] },
];
const metadata = { resourceVersion: '7', continue: 'a"}]b\\', other: [{ items: [{}] }] };

describe('reader of a list', () => {
  const sizes = [1, 2, 3, 7, 64, 10_000];
  // A list of a custom resource has its fields in the order of the alphabet, another one its items last.
  const lists = {
    'items last': { kind: 'PodList', metadata, items: tricky },
    'items within': { apiVersion: 'v1', items: tricky, kind: 'PodList', metadata },
    'no items': { kind: 'PodList', metadata, items: [] },
    'items null': { kind: 'PodList', items: null, metadata },
    'other arrays': { warnings: [{ a: 1 }], items: tricky, more: [{ b: 2 }, 'items'] },
    'no list': { kind: 'Status', metadata: {}, details: { causes: [{ items: [{}] }] } },
  };
  for (const [name, list] of Object.entries(lists)) {
    it(`takes each item as JSON.parse reads it, however the text is cut: ${name}`, () => {
      const { items = [], ...rest } = list as { items?: unknown[] | null };
      const frame = 'items' in list ? { ...list, items: items === null ? null : [] } : rest;
      for (const size of sizes) {
        assert.deepEqual(read(JSON.stringify(list), size), { items: items ?? [], frame }, `${size} bytes`);
        assert.deepEqual(read(JSON.stringify(list, null, 2), size), { items: items ?? [], frame });
      }
    });
  }

  it('gives an item as soon as it is complete', () => {
    const taken: string[] = [];
    const reader = new ListReader((item) => taken.push(item));
    reader.feed(Buffer.from('{"items":[{"a":1},{"b"'));
    assert.deepEqual(taken, ['{"a":1}']);
    reader.feed(Buffer.from(':2}'));
    assert.deepEqual(taken, ['{"a":1}', '{"b":2}']);
    assert.throws(() => JSON.parse(reader.frame), SyntaxError, 'a list without an end');
  });

  it('leaves out what nobody reads, however the text is cut', () => {
    const managedFields = [
      { manager: 'a"}],', fieldsV1: { 'f:metadata': { 'f:x\\': {} }, list: [[1], [{}]] } },
      { manager: 'ö' },
    ];
    const spec = { managedFields: 'a string', deeper: { deeper: { managedFields: [1] } }, after: [[1]] };
    const item = (fields: unknown[]) => ({ metadata: { name: 'a', managedFields: fields, uid: 'u' }, spec });
    const items = [item(managedFields), { metadata: { finalizers: ['f'] } }, item([]), item(managedFields)];
    const frame = { kind: 'PodList', items: [], metadata: {} };
    const empty = [item([]), items[1], item([]), item([])];
    for (const size of sizes)
      assert.deepEqual(read(JSON.stringify({ ...frame, items }), size), { items: empty, frame });
  });

  it('keeps no more than an object can be', () => {
    const reader = new ListReader(() => {});
    const chunk = Buffer.alloc(2 ** 20, 'a');
    reader.feed(Buffer.from('{"items":[{"a":"'));
    assert.throws(() => {
      for (let i = 0; i < 32; i++) reader.feed(chunk);
    }, /an object of more than 16777216 bytes/);
  });

  it('passes on what goes wrong with an item', () => {
    const reader = new ListReader((item) => JSON.parse(item));
    assert.throws(() => reader.feed(Buffer.from('{"items":[{"a":}')), SyntaxError);
  });
});
