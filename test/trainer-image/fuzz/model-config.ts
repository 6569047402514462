/** The config.json of a model, which anybody may have written. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../trainer-image/data/random.ts';
import { type Architecture, readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { goldenDirectory } from '../model/fixtures.ts';
import { altered } from './altered.ts';
import { damage } from './damage.ts';
import { withFile } from './file.ts';
import { isRefusal } from './refusal.ts';
import type { Target } from './target.ts';

const architectures = join(goldenDirectory, 'architectures');
const configs = readdirSync(architectures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => readFileSync(join(architectures, name, 'config.json')));
const tasks = ['MaskedLM', 'SequenceClassification', 'TokenClassification'] as const;

const modelConfigs = (
  name: string,
  content: (config: Buffer, source: Random) => string | Buffer,
): Target => ({
  name,
  refusedShare: [0.3, 0.999],
  attempt(source) {
    const config = configs[source.below(configs.length)] as Buffer;
    const task = tasks[source.below(tasks.length)] as (typeof tasks)[number];
    const options = { task, labels: 2, packed: source.below(2) === 0 };
    try {
      withFile('config.json', content(config, source), (directory) =>
        check(readArchitecture(directory, options).architecture),
      );
      return false;
    } catch (error) {
      const packing = error instanceof Error && error.message.startsWith('training.packing ');
      return isRefusal(error, packing ? 'ConfigError' : 'ModelError');
    }
  },
});

function check({ maxLength, parameters }: Architecture): void {
  assert.ok(maxLength > 0, `maxLength ${maxLength}`);
  for (const { name, shape } of parameters)
    assert.ok(
      shape.every((size) => Number.isSafeInteger(size) && size > 0),
      `${name}: ${shape}`,
    );
}

export const modelConfig: readonly Target[] = [
  modelConfigs('config.json damaged in its bytes', damage),
  modelConfigs('config.json with other values', (config, source) =>
    JSON.stringify(altered(JSON.parse(config.toString()), source)),
  ),
];
