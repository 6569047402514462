import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStriker } from '../../../bench/soak/striker.ts';
import { random } from '../../../trainer-image/data/random.ts';

const rates = { writes: 10, opens: 5, events: 20 };

function struck(seed: number): Record<string, number> {
  const striker = new RandomStriker(random(seed), rates);
  for (let i = 0; i < 10_000; i++) {
    striker.atWrite('status-Training-TrainingRunning');
    striker.atOpen('watch');
    striker.atEvent();
    assert.equal(striker.atWrite('lease-update'), undefined);
  }
  return striker.struck;
}

test('the same seed strikes alike, another one elsewhere', () => {
  assert.deepEqual(struck(1), struck(1));
  assert.notDeepEqual(struck(1), struck(2));
});

test('strikes as often as asked, with every fault that lets the process live', () => {
  const counts = struck(3);
  const share = (where: string) =>
    Object.entries(counts)
      .filter(([name]) => name.startsWith(`${where} `))
      .reduce((sum, [, count]) => sum + count, 0) / 10_000;
  assert.ok(Math.abs(share('write') - 1 / rates.writes) < 0.01);
  assert.ok(Math.abs(share('watch') - 1 / rates.opens) < 0.02);
  assert.ok(Math.abs(share('event') - 1 / rates.events) < 0.01);
  for (const name of [
    'write 409',
    'write hang-committed',
    'watch 410',
    'watch 429',
    'event gone',
    'event close',
  ])
    assert.ok(counts[name]! > 0, name);
  assert.ok(!Object.keys(counts).some((name) => /kill|silence|delay/.test(name)));
});
