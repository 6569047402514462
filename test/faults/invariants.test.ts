import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { labels } from '../../operator/manifests/names.ts';
import { violationsOf } from './invariants.ts';
import type { Sighting } from './witness.ts';

let version = 0;
const seen = (type: Sighting['type'], kind: string, metadata: object, rest: object = {}): Sighting => ({
  type,
  object: { kind, metadata: { ...metadata, resourceVersion: String(++version) }, ...rest },
});

const start = '2026-01-01T00:00:00Z';
const spam = { uid: 'u', name: 'spam', generation: 1 };
const said = (status: object) =>
  seen('MODIFIED', 'FineTuneJob', spam, { spec: {}, status: { runId: '1', startTime: start, ...status } });
const ready = (reason: string) => ({ conditions: [{ type: 'Ready', status: 'False', reason }] });
const onHold = (reason: string, metadata: object = {}) =>
  seen(
    'MODIFIED',
    'FineTuneJob',
    { ...spam, ...metadata },
    {
      spec: {},
      status: {
        runId: '1',
        startTime: start,
        conditions: [{ ...ready(reason).conditions[0], observedGeneration: 1 }],
      },
    },
  );
const ofStage = (stage: string) => ({
  uid: `${stage}-uid`,
  labels: { [labels.jobUid]: 'u', [labels.run]: '1', [labels.stage]: stage },
});

describe('invariants over a history', () => {
  const rows: [string, () => Sighting[], RegExp | undefined][] = [
    [
      'usage that grows',
      () => [
        said({ usage: { attempts: 1, trainSeconds: 5 } }),
        said({ usage: { attempts: 2, trainSeconds: 9 } }),
      ],
      undefined,
    ],
    [
      'usage that falls',
      () => [said({ usage: { gpuSeconds: 5 } }), said({ usage: { gpuSeconds: 4 } })],
      /usage.gpuSeconds fell from 5 to 4/,
    ],
    [
      'usage that vanishes',
      () => [said({ usage: { attempts: 1 } }), said({})],
      /usage.attempts fell from 1 to 0/,
    ],
    [
      'usage of another run',
      () => [said({ usage: { attempts: 2 } }), said({ runId: '2', usage: { attempts: 1 } })],
      undefined,
    ],
    [
      'an attempt that is counted back',
      () => [said({ attempt: { number: 2 } }), said({ attempt: { number: 1 } })],
      /attempt.number fell/,
    ],
    [
      'a start that moves',
      () => [said({}), said({ startTime: '2026-01-01T00:00:01Z' })],
      /startTime changed/,
    ],
    [
      'a Job that is promised and not made',
      () => [seen('ADDED', 'Job', ofStage('preflight')), said(ready('TrainingPending'))],
      /TrainingPending was said before there was a train Job/,
    ],
    [
      'a Job that was made and deleted',
      () => [
        seen('ADDED', 'Job', ofStage('train')),
        seen('DELETED', 'Job', ofStage('train')),
        said(ready('TrainingPending')),
      ],
      undefined,
    ],
    [
      'a generation that falls',
      () => [said({ observedGeneration: 2 }), said({ observedGeneration: 1 })],
      /observedGeneration fell/,
    ],
    [
      'the time of a condition that moves alone',
      () => [
        said({ conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: start }] }),
        said({ conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: 'later' }] }),
      ],
      /lastTransitionTime of Ready moved although it did not change/,
    ],
    [
      'an end that is taken back',
      () => [
        said({ conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: start }] }),
        said({ conditions: [{ type: 'Complete', status: 'False', lastTransitionTime: 'later' }] }),
      ],
      /Complete was taken back/,
    ],
    [
      'two Jobs at once',
      () => ['one', 'two'].map((uid) => seen('ADDED', 'Job', { ...ofStage('train'), uid })),
      /2 Jobs may start a trainer/,
    ],
    [
      'two trainers at once',
      () => ['one', 'two'].map((uid) => seen('ADDED', 'Pod', { ...ofStage('train'), uid })),
      /2 trainers are alive/,
    ],
    [
      'a trainer after one that has ended',
      () => [
        seen('ADDED', 'Pod', { ...ofStage('train'), uid: 'one' }, { status: { phase: 'Failed' } }),
        seen('ADDED', 'Pod', { ...ofStage('train'), uid: 'two' }),
      ],
      undefined,
    ],
    [
      'a Job after the end',
      () => [said({ completionTime: start }), seen('ADDED', 'Job', ofStage('train'))],
      /a Job was made after the end/,
    ],
    ...['SuspendedByUser', 'BudgetExhausted'].flatMap(
      (reason): [string, () => Sighting[], RegExp | undefined][] => [
        [
          `${reason} that is said while a Job may start its trainer`,
          () => [seen('ADDED', 'Job', ofStage('train')), onHold(reason)],
          /said to be on hold and is not/,
        ],
        [
          `${reason}, and a Job that goes on all the same`,
          () => [
            seen('ADDED', 'Job', ofStage('train'), { spec: { suspend: true } }),
            onHold(reason),
            seen('MODIFIED', 'Job', ofStage('train'), { spec: { suspend: false } }),
          ],
          /said to be on hold and is not/,
        ],
        [
          `${reason}, and a Job that goes on because the spec has changed`,
          () => [
            seen('ADDED', 'Job', ofStage('train'), { spec: { suspend: true } }),
            onHold(reason),
            onHold(reason, { generation: 2 }),
            seen('MODIFIED', 'Job', ofStage('train'), { spec: { suspend: false } }),
          ],
          undefined,
        ],
      ],
    ),
  ];
  for (const [name, history, telling] of rows)
    it(name, () => {
      const found = violationsOf(history()).join('; ');
      if (telling === undefined) assert.equal(found, '');
      else assert.match(found, telling);
    });
});
