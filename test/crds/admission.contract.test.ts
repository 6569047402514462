/** Every object of the tables is sent to a real API server; what it refuses must name the field and the reason. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { resourceSchema, resources } from '../../crds/crd.ts';
import type { CelRule } from '../../crds/fields.ts';
import type { StructuralSchema } from '../../crds/structural-type.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import type { Case } from './case.ts';
import { exampleObjects } from './examples.ts';
import { jobCases } from './job-cases.ts';
import { type Changes, job, type KubeObject, runtime } from './objects.ts';
import { runtimeCases } from './runtime-cases.ts';

let server: ApiServer;
before(async () => {
  server = await startApiServer('admission');
});
after(() => server?.stop());

function check(cases: Record<string, Case>, make: (changes: Changes) => KubeObject): void {
  for (const [name, { changes, want }] of Object.entries(cases)) {
    test(`${name} is ${want ? 'refused' : 'accepted'}`, async () => {
      const answer = await server.tryCreate(make(changes));
      if (!want) return assert.equal(answer.accepted, true, JSON.stringify(answer));
      assert.equal(answer.accepted, false);
      // An unknown field is refused before the schema is looked at, without a list of causes.
      const causes = answer.causes.length > 0 ? answer.causes : [{ field: '', message: answer.message }];
      assert.ok(
        causes.some(({ field, message }) => field === want.field && message.includes(want.message)),
        `wanted ${JSON.stringify(want)}, got ${JSON.stringify(causes)}`,
      );
    });
  }
}

suite('FineTuneJob', () => check(jobCases, job));
suite('FineTuneRuntime', () => check(runtimeCases, runtime));

suite('examples', () => {
  for (const [file, objects] of exampleObjects()) {
    test(`examples/${file} is accepted`, async () => {
      for (const object of objects) {
        const namespace = object.kind === 'FineTuneJob' ? { namespace: 'default' } : {};
        const answer = await server.tryCreate({ ...object, metadata: { ...namespace, ...object.metadata } });
        assert.equal(answer.accepted, true, JSON.stringify(answer));
      }
    });
  }
});

test('the tables above refuse by every CEL rule of the specs that looks at one object alone', () => {
  const wanted = [...Object.values(jobCases), ...Object.values(runtimeCases)].flatMap(
    ({ want }) => want ?? [],
  );
  const untried = resources
    .flatMap((resource) => rulesOf(resourceSchema(resource)))
    .filter(({ rule }) => !rule.includes('oldSelf'))
    .filter(({ message }) => !wanted.some((want) => message.includes(want.message)));
  assert.deepEqual(untried, []);
});

function rulesOf(schema: StructuralSchema): CelRule[] {
  const inner = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return [
    ...(schema['x-kubernetes-validations'] ?? []),
    ...inner.flatMap((part) => (part ? rulesOf(part) : [])),
  ];
}
