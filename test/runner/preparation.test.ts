import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepare, type StepName, steps } from './preparation.ts';
import { tiers } from './tiers.ts';

/** The real table of steps with work that only notes its name; `failing` throws. */
function noted(failing?: StepName) {
  const notes: string[] = [];
  const entries = Object.entries(steps).map(([name, { after }]) => [
    name,
    {
      after,
      run: async (log: (line: string) => void) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (name === failing) throw new Error('no network');
        log('done');
      },
    },
  ]);
  const table = Object.fromEntries(entries) as typeof steps;
  return { notes, table, log: (line: string) => notes.push(line) };
}

test('each step runs once, after those that it builds upon', async () => {
  const { notes, table, log } = noted();
  const preparation = prepare(['images', 'tensorflow', 'images'], log, table);
  assert.equal(await preparation.outcomeOf('images'), undefined);
  assert.deepEqual(notes, ['[packages] done', '[tensorflow] done', '[images] done']);
});

test('what nobody asked for is not done', async () => {
  const { notes, table, log } = noted();
  await prepare(['api-server'], log, table).outcomeOf('api-server');
  assert.deepEqual(notes, ['[api-server] done']);
});

test('a failure says which step and reaches all that build upon it; the others go on', async () => {
  const { notes, table, log } = noted('packages');
  const preparation = prepare(['images', 'api-server'], log, table);
  assert.equal((await preparation.outcomeOf('images'))?.message, 'preparing packages failed: no network');
  assert.equal(await preparation.outcomeOf('api-server'), undefined);
  assert.deepEqual(notes, ['[api-server] done']);
});

test('no step waits for itself', () => {
  const depth = (name: StepName, above: readonly StepName[]): void => {
    assert.ok(!above.includes(name), `${name} waits for itself`);
    for (const next of steps[name].after) depth(next, [...above, name]);
  };
  for (const { needs } of tiers) for (const step of needs) depth(step, []);
});
