/** Damaged run configs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RunConfig, runConfig } from '../../../crds/trainer-contract.ts';
import { parseRunConfig } from '../../../trainer-image/config.ts';
import { type Random, random } from '../../../trainer-image/data/random.ts';
import { runConfigOf } from '../data/run-config.ts';
import { cases, seed } from './cases.ts';
import { damage } from './damage.ts';

const file = 'run.json';

const whole = runConfigOf({ model: '/m', dataset: '/d', output: '/o' }, (config: RunConfig) => {
  config.dataset.labels = ['ham', 'spam'];
  config.training.earlyStopping = { metric: 'f1', patience: 2, minDelta: 0 };
  config.gate = { metric: 'accuracy', minimum: 0.9 };
});
const values = [null, true, -1, 0, 0.5, 1e308, 2 ** 53, '', 'x', '\0', [], {}, ['a', 'a'], { uid: {} }];

/** The config with some values, at any depth, replaced, removed or put where none belongs. */
function altered(source: Random): unknown {
  const config: unknown = structuredClone(whole);
  for (let changes = 1 + source.below(3); changes > 0; changes--) {
    let at = config as Record<string, unknown>;
    for (;;) {
      const keys = Object.keys(at);
      const key = keys.length === 0 || source.below(12) === 0 ? '__proto__' : keys[source.below(keys.length)];
      const inner = at[key as string];
      if (typeof inner === 'object' && inner !== null && key !== '__proto__' && source.below(4) > 0) {
        at = inner as Record<string, unknown>;
        continue;
      }
      if (source.below(4) === 0) delete at[key as string];
      else {
        const value = structuredClone(values[source.below(values.length)]);
        Object.defineProperty(at, key as string, {
          value,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      break;
    }
  }
  return config;
}

for (const [what, content] of Object.entries({
  'damaged in its bytes': (source: Random) => damage(Buffer.from(JSON.stringify(whole)), source).toString(),
  'with other values': (source: Random) => JSON.stringify(altered(source)),
}))
  test(`a run config ${what} is a config or a ConfigError with an identity (${cases} cases)`, () => {
    let refused = 0;
    for (let index = 0; index < cases; index++) {
      const text = content(random(seed, 7, index));
      const shown = `case ${index}: ${text}`;
      const read = parseRunConfig(text, file);
      if ('config' in read) {
        assert.deepEqual(runConfig.parse(read.config), read.config, shown);
        continue;
      }
      refused += 1;
      assert.equal(read.error.category, 'ConfigError', shown);
      assert.ok(read.error.message.startsWith(`${file}: `) && read.error.hint !== '', shown);
      const { jobUid, runId } = read.identity;
      assert.ok(typeof jobUid === 'string' && jobUid.length <= 64, shown);
      assert.ok(typeof runId === 'string' && runId.length <= 32, shown);
    }
    assert.ok(refused > cases / 3 && refused < cases, `${refused} of ${cases} are refused`);
  });
