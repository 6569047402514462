import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { flagOf, readConfig, settings, variableOf } from '../../operator/config.ts';

describe('configuration', () => {
  it('has defaults for everything', () => {
    const config = readConfig([], {});
    assert.equal(config.workers, 32);
    assert.equal(config.leaderElect, true);
    assert.equal(config.statusSeconds, 10);
    assert.equal(config.statusWritesPerSecond, 20);
  });

  it('comes from variables and flags, and the flag wins', () => {
    const environment = {
      FINETUNE_WORKERS: '3',
      FINETUNE_LEADER_ELECT: 'false',
      FINETUNE_POLL_SECONDS: '0.5',
    };
    const config = readConfig(['--workers', '4', '--watch-namespace=team-a'], environment);
    assert.equal(config.workers, 4);
    assert.equal(config.leaderElect, false);
    assert.equal(config.pollSeconds, 0.5);
    assert.equal(config.watchNamespace, 'team-a');
  });

  it('names every wrong setting in one line', () => {
    const read = () =>
      readConfig(['--workers', 'many'], { FINETUNE_LOG_LEVEL: 'loud', FINETUNE_LEADER_ELECT: 'yes' });
    assert.throws(read, (error: Error) => {
      assert.ok(!error.message.includes('\n'));
      assert.match(error.message, /--workers \(FINETUNE_WORKERS\) is "many"/);
      assert.match(error.message, /--log-level \(FINETUNE_LOG_LEVEL\) is "loud"/);
      assert.match(error.message, /--leader-elect \(FINETUNE_LEADER_ELECT\) is "yes"/);
      return true;
    });
    assert.throws(() => readConfig(['--wrokers', '4'], {}), /wrokers/);
  });

  it('describes each setting', () => {
    for (const [field, schema] of Object.entries(settings.shape)) {
      assert.ok(schema.description, `${flagOf(field)} ${variableOf(field)}`);
    }
  });
});
