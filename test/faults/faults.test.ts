import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bundleOperator } from './bundle.ts';
import { findMutant, limitMs } from './find-mutant.ts';
import { mutants } from './mutants.ts';
import { idOf, planOf, representative } from './plans.ts';
import { Stage } from './stage.ts';
import { allPlans, describe as inWords, type Learned, learnAll, runPlans } from './suite.ts';
import { type WorkloadName, workloads } from './workloads.ts';

const seed = 1;
/** All plans are run by `npm run test:faults`. */
const count = 150;
/** Of these, plans that may fail to meet the place of their fault, which says nothing about the operator. */
const mostMissed = 5;

describe('operator under faults', () => {
  let stage: Stage;
  let directory: string;
  let program: string;
  let learned: Map<WorkloadName, Learned>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'finetune-faults-'));
    stage = await Stage.start('faults');
    program = await bundleOperator(join(directory, 'operator'));
    learned = await learnAll(stage, Object.keys(workloads) as WorkloadName[], program);
  });
  after(async () => {
    await stage.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('ends twice the same, as it must, without any fault', () => {
    const alone = [...learned.values()].map((each) => each.alone);
    assert.deepEqual(alone.filter(({ verdict }) => verdict === 'different').map(inWords), []);
  });

  it(`ends as if nothing had happened, ${count} times`, async () => {
    const plans = representative(allPlans(learned, seed), count, seed);
    const results = await runPlans(stage, plans, learned, program);
    const different = results.filter(({ verdict }) => verdict === 'different');
    assert.deepEqual(different.map(inWords), []);
    const missed = results.filter(({ verdict }) => verdict === 'missed');
    assert.ok(missed.length <= mostMissed, `not reached: ${missed.map(({ plan }) => idOf(plan)).join(', ')}`);
  });

  it('comes through the plans that find the planted defects', async () => {
    const plans = mutants.flatMap((mutant) => mutant.plans.map(planOf));
    const results = await runPlans(stage, plans, learned, program, () => {}, limitMs);
    assert.deepEqual(results.filter(({ verdict }) => verdict === 'different').map(inWords), []);
  });

  // Side by side: a mutant mostly waits for what it will never do.
  describe('finds a planted defect', { concurrency: 3 }, () => {
    for (const mutant of mutants) {
      it(mutant.name, async () => {
        const folder = join(directory, mutant.name.replaceAll(' ', '-'));
        assert.notEqual(await findMutant(stage, mutant, learned, folder), undefined);
      });
    }
  });
});
