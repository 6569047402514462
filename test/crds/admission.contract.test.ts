/** Every object of the tables is sent to a real API server; what it refuses must name the field and the reason. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type ApiServer, startApiServer } from './api-server.ts';
import { type Case, jobCases, runtimeCases } from './cases.ts';
import { type Changes, job, type KubeObject, runtime } from './objects.ts';

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
