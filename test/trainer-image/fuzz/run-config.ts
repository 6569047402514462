/** Damaged run configs. */
import assert from 'node:assert/strict';
import { type RunConfig, runConfig as schema } from '../../../crds/trainer-contract.ts';
import { parseRunConfig } from '../../../trainer-image/config.ts';
import type { Random } from '../../../trainer-image/data/random.ts';
import { runConfigOf } from '../data/run-config.ts';
import { altered } from './altered.ts';
import { damage } from './damage.ts';
import type { Target } from './target.ts';

const file = 'run.json';

const whole = runConfigOf({ model: '/m', dataset: '/d', output: '/o' }, (config: RunConfig) => {
  config.dataset.labels = ['ham', 'spam'];
  config.training.earlyStopping = { metric: 'f1', patience: 2, minDelta: 0 };
  config.gate = { metric: 'accuracy', minimum: 0.9 };
});
const runConfigs = (name: string, content: (source: Random) => string): Target => ({
  name,
  refusedShare: [1 / 3, 0.999],
  attempt(source) {
    const text = content(source);
    const read = parseRunConfig(text, file);
    if ('config' in read) {
      assert.deepEqual(schema.parse(read.config), read.config, text);
      return false;
    }
    assert.equal(read.error.category, 'ConfigError', text);
    assert.ok(read.error.message.startsWith(`${file}: `) && read.error.hint !== '', text);
    const { jobUid, runId } = read.identity;
    assert.ok(typeof jobUid === 'string' && jobUid.length <= 64, text);
    assert.ok(typeof runId === 'string' && runId.length <= 32, text);
    return true;
  },
});

const bytes = Buffer.from(JSON.stringify(whole));
export const runConfig: readonly Target[] = [
  runConfigs('run config damaged in its bytes', (source) => damage(bytes, source).toString()),
  runConfigs('run config with other values', (source) => JSON.stringify(altered(whole, source))),
];
