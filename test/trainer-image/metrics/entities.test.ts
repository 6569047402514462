import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  addCounts,
  countEntities,
  type Entity,
  type EntityCounts,
  entitiesOf,
  entityScores,
  strictEntitiesOf,
} from '../../../trainer-image/metrics/entities.ts';

type Case = {
  name: string;
  actual: string[][];
  predicted: string[][];
  precision: number;
  recall: number;
  f1: number;
  strictF1?: number;
  /** [type, start, end] of each entity of each predicted row. */
  entities: [string, number, number][][];
  /** Precision, recall, F1 and support. */
  types: Record<string, [number, number, number, number]>;
};
const file = new URL('../../golden/entities.json', import.meta.url);
const { cases } = JSON.parse(await readFile(file, 'utf8')) as { cases: Case[] };

function near(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) < 1e-12, `${what}: ${got} is not ${want}`);
}

type Finder = (tags: readonly string[]) => Entity[];
const countsOf = ({ actual, predicted }: Case, find: Finder) =>
  actual.map((tags, row) => countEntities(find(tags), find(predicted[row]!)));
const sumOf = (rows: readonly Map<string, EntityCounts>[]) =>
  addCounts(rows.flatMap((counts) => [...counts.values()]));

for (const want of cases) {
  test(`entities and scores equal seqeval's: ${want.name}`, () => {
    for (const [row, tags] of want.predicted.entries())
      assert.deepEqual(
        entitiesOf(tags).map(({ type, start, end }) => [type, start, end]),
        want.entities[row],
      );
    const rows = countsOf(want, entitiesOf);
    const got = entityScores(sumOf(rows));
    near(got.precision, want.precision, 'precision');
    near(got.recall, want.recall, 'recall');
    near(got.f1, want.f1, 'F1');
    for (const [type, [precision, recall, f1, support]] of Object.entries(want.types)) {
      const counts = addCounts(rows.flatMap((row) => row.get(type) ?? []));
      const scores = entityScores(counts);
      near(scores.precision, precision, `precision of ${type}`);
      near(scores.recall, recall, `recall of ${type}`);
      near(scores.f1, f1, `F1 of ${type}`);
      assert.equal(counts.actual, support);
    }
    if (want.strictF1 === undefined) return;
    near(entityScores(sumOf(countsOf(want, strictEntitiesOf))).f1, want.strictF1, 'strict F1');
  });
}

test('strict IOB2 takes no entity that begins with I, and ends one where the type changes', () => {
  assert.deepEqual(strictEntitiesOf(['I-LOC', 'I-LOC', 'B-PER', 'I-LOC', 'B-PER', 'I-PER']), [
    { type: 'PER', start: 2, end: 3 },
    { type: 'PER', start: 4, end: 6 },
  ]);
});
