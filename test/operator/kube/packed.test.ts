import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Packer } from '../../../operator/kube/packed.ts';
import { type Change, Store } from '../../../operator/kube/store.ts';

type Thing = {
  metadata: { name: string; namespace: string; uid: string; resourceVersion: string };
  over: boolean;
};

const thing = (name: string, over: boolean, resourceVersion = '1'): Thing => ({
  metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion },
  over,
});

const shown = (changes: Change<Thing, 'state'>[]) => changes.map(({ type, object }) => [type, object]);

describe('packed objects', () => {
  it('come back as they were, with their times, and are small', () => {
    const object = {
      time: new Date(1e12),
      text: 'ünïcode 漢字 \u0000',
      list: Array(500).fill({ a: 1.5, none: null }),
    };
    const packed = new Packer<typeof object>().pack(object);
    assert.deepEqual(packed.unpacked(), object);
    assert.ok(packed.bytes < JSON.stringify(object).length / 10);
  });

  it('come back also where they are far larger than the buffers and the window', () => {
    // The words repeat after 10 kB: within the window of the packer, not within one of half its size.
    const words = Array.from({ length: 1000 }, (_, index) => `word ${(index * 7919) % 1009}`);
    const object = { text: [...words, ...words].join(' ').repeat(20), words };
    const packed = new Packer<typeof object>().pack(object);
    assert.deepEqual(packed.unpacked(), object);
    assert.ok(packed.bytes < JSON.stringify(object).length / 5, `${packed.bytes}`);
  });

  it('keep once what they have in common with the first one', () => {
    const texts = Array.from({ length: 40 }, (_, i) => createHash('sha256').update(`${i}`).digest('hex'));
    const run = (name: string) => ({ name, texts, started: new Date(1e12) });
    const packer = new Packer<ReturnType<typeof run>>();
    const [first, second] = [packer.pack(run('first')), packer.pack(run('second'))];
    assert.deepEqual(first.unpacked(), run('first'));
    assert.deepEqual(second.unpacked(), run('second'));
    assert.ok(second.bytes < first.bytes / 10, `${second.bytes} of ${first.bytes} bytes`);
  });

  it('keep once what they have in common also with one that has grown since the first', () => {
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    const texts = (count: number) => Array.from({ length: count }, (_, i) => hash(`${i}`));
    const packer = new Packer<{ name: string; texts: string[] }>();
    const sizes = [5, 40, 40].map((count, i) => {
      const run = { name: `${i}`, texts: texts(count) };
      const packed = packer.pack(run);
      assert.deepEqual(packed.unpacked(), run);
      return packed.bytes;
    });
    assert.ok(sizes[2]! < sizes[1]! / 10, `${sizes}`);
    // Too large for the window in which a pattern is looked for.
    packer.pack({ name: 'huge', texts: texts(400) });
    assert.ok(packer.pack({ name: 'later', texts: texts(40) }).bytes < sizes[1]! / 10);
  });

  it('are found, replaced and removed like all others', () => {
    const store = new Store<Thing, 'state'>(
      { state: ({ over }) => (over ? 'over' : 'live') },
      ({ over }) => over,
    );
    store.put(thing('a', false));
    store.put(thing('b', false));
    assert.deepEqual(shown(store.put(thing('a', true, '2'))), [['updated', thing('a', true, '2')]]);
    assert.deepEqual(store.get('n/a'), thing('a', true, '2'));
    assert.deepEqual(store.by('state', 'over'), [thing('a', true, '2')]);
    assert.deepEqual(store.keysBy('state', 'live'), ['n/b']);
    assert.deepEqual(
      [...store.values()].map(({ over }) => over),
      [true, false],
    );
    // The list shows what is known, packed or not: no change.
    const list = [thing('a', true, '2'), thing('b', false)].map((object) => store.listed(object));
    assert.deepEqual([...store.replace(list)], []);
    assert.deepEqual(shown(store.put(thing('a', false, '3'))), [['updated', thing('a', false, '3')]]);
    assert.deepEqual(store.keysBy('state', 'over'), []);
    assert.deepEqual(shown(store.remove(thing('b', true))), [['deleted', thing('b', false)]]);
    assert.equal(store.size, 1);
  });
});
