/** Jobs that a real API server refuses: by a quota, an admission policy or a webhook, and because they are not valid. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { CoreV1Event } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { runtime } from '../../crds/objects.ts';
import { apply, createJob, eventually, list, namespace, read, runPod, setPodStatus } from '../api.ts';
import { endedStatus, validated } from '../builders.ts';
import { interrupt, stageMade, stageOf, statusOf, training } from '../stations.ts';
import { TestApi } from '../test-api.ts';

type Status = NonNullable<FineTuneJob['status']>;

describe('Jobs that a real API server refuses', () => {
  const api = new TestApi('refused', ['resourcequota-controller']);

  const isRefused = (status: Status) => status.failure?.category === 'JobRefused' && status;
  const refusalOf = (name: string) => statusOf(api.plane, name, 'the refusal', isRefused);
  const triesOf = () =>
    api.proxy.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/jobs')).length;
  /** Events of a job in the order of their reasons, once there are so many: they come after the status. */
  const reasonsOf = (name: string, count: number, ignored?: string) =>
    eventually(`${count} events of ${name}`, async () => {
      const reasons = (await list<CoreV1Event>(api.plane, 'events'))
        .filter(({ involvedObject, reason }) => involvedObject.name === name && reason !== ignored)
        .map(({ reason }) => reason);
      return reasons.length >= count && reasons.toSorted();
    });

  const passPreflight = async (job: FineTuneJob) => {
    const check = await runPod(api.plane, await stageMade(api.plane, job, 'preflight'), {});
    const { name, uid } = check.metadata!;
    const report = { ...validated(uid!), jobUid: job.metadata.uid };
    await setPodStatus(api.plane, name!, endedStatus(0, report));
  };

  /** Denies what the expression (CEL) is false for, such as what `probe` would do. */
  const deny = async (
    operation: 'CREATE' | 'UPDATE',
    expression: string,
    message: string,
    probe: readonly string[],
  ) => {
    const apiVersion = 'admissionregistration.k8s.io/v1';
    const metadata = { name: 'no-trainers' };
    const resourceRules = [
      { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs'], operations: [operation] },
    ];
    await apply(api.plane, [
      {
        apiVersion,
        kind: 'ValidatingAdmissionPolicy',
        metadata,
        spec: {
          matchConstraints: { resourceRules },
          validations: [{ expression, message, reason: 'Forbidden' }],
        },
      },
      {
        apiVersion,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: metadata.name, validationActions: ['Deny'] },
      },
    ]);
    await eventually('the policy works', () =>
      api.plane.kubectl([...probe, '--dry-run=server']).then(
        () => false,
        (error: Error) => error.message.includes(message),
      ),
    );
  };
  const allow = async () => {
    await api.plane.kubectl(['delete', 'validatingadmissionpolicybinding/no-trainers', '--ignore-not-found']);
    await api.plane.kubectl(['delete', 'validatingadmissionpolicy/no-trainers', '--ignore-not-found']);
  };

  const quota = async (hard: object) => {
    const metadata = { name: 'few', namespace };
    await apply(api.plane, [{ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard } }]);
    await eventually(
      'the quota is counted',
      async () => (await read<{ status?: { used?: object } }>(api.plane, 'quota', 'few'))?.status?.used,
    );
  };

  afterEach(async () => {
    await allow();
    await api.plane.kubectl(['delete', 'quota,validatingwebhookconfigurations', '--all']);
  });

  it('waits for a quota, says so once, tries ever more rarely, and goes on when there is room', async () => {
    await api.start();
    await quota({ 'count/jobs.batch': '0' });
    const job = await createJob(api.plane, 'many');
    const { phase, failure, waitingSince } = await refusalOf('many');
    assert.equal(phase, 'Pending');
    assert.match(
      failure?.message ?? '',
      /^The API server refuses to make Job \S+-preflight: jobs\.batch "\S+" is forbidden: exceeded quota: few/,
    );
    assert.ok(waitingSince);
    // The next try comes, and changes nothing.
    const tries = triesOf();
    await eventually('another try', async () => triesOf() > tries);
    assert.ok(isRefused((await read<FineTuneJob>(api.plane, 'ftj', 'many'))!.status!));
    assert.equal(await stageOf(api.plane, job, 'preflight'), undefined);

    await api.plane.kubectl(['delete', 'quota', 'few']);
    await stageMade(api.plane, job, 'preflight');
    const after = await statusOf(api.plane, 'many', 'the wait for a pod', (now) => !isRefused(now) && now);
    assert.deepEqual([after.phase, after.failure], ['Preflight', undefined]);
    assert.deepEqual(await reasonsOf('many', 1), ['JobRefused']);
    assert.ok(triesOf() <= 12, `${triesOf()} tries`);
  });

  it('gives up on a run that is refused its Job for too long', async () => {
    await api.start();
    await quota({ 'count/jobs.batch': '0' });
    await createJob(api.plane, 'late');
    const { waitingSince } = await refusalOf('late');
    await api.patch('late', { pendingDeadlineSeconds: 6 });
    const { failure, completionTime } = await statusOf(
      api.plane,
      'late',
      'the end',
      (now) => now.phase === 'Failed' && now,
    );
    assert.equal(failure?.category, 'PendingDeadlineExceeded');
    assert.match(failure.message, /exceeded quota: few/);
    assert.ok(Date.parse(completionTime!) - Date.parse(waitingSince!) >= 5000);
  });

  it('keeps the report of preflight while a policy denies the train Job', async () => {
    await api.start();
    const probe = ['create', 'job', 'some-train', '--image=x'];
    await deny('CREATE', '!object.metadata.name.endsWith("-train")', 'no trainers before noon', probe);
    const job = await createJob(api.plane, 'early');
    await passPreflight(job);
    const status = await refusalOf('early');
    assert.equal(status.phase, 'Pending');
    assert.match(
      status.failure?.message ?? '',
      /ValidatingAdmissionPolicy 'no-trainers'.* denied request: no trainers before noon/,
    );
    assert.equal(status.preflight?.totalSteps, 21);
    const reasons = await reasonsOf('early', 2, 'PreflightRunning');
    assert.deepEqual(reasons, ['JobRefused', 'PreflightPassed']);
    await allow();
    await stageMade(api.plane, job, 'train');
    await statusOf(api.plane, 'early', 'no refusal any more', (now) => now.failure === undefined);
  });

  it('says that a trainer cannot be held, and holds it once that is allowed', async () => {
    await api.start();
    const run = await training(api.plane, 'unstoppable');
    const probe = ['patch', 'job', run.train.metadata!.name!, '-p', '{"spec":{"suspend":true}}'];
    await deny('UPDATE', 'object.spec.suspend == oldObject.spec.suspend', 'no holds', probe);
    await api.patch('unstoppable', { suspend: true });
    const { phase, failure } = await refusalOf('unstoppable');
    assert.equal(phase, 'Stopping');
    assert.match(failure?.message ?? '', /refuses to change Job \S+-train: .* denied request: no holds/);
    await allow();
    await eventually('the hold', async () => (await stageOf(api.plane, run.job, 'train'))?.spec?.suspend);
    await interrupt(api.plane, run);
    await statusOf(api.plane, 'unstoppable', 'the hold', (now) => now.phase === 'Suspended' && !now.failure);
  });

  it('says that a webhook is away, and goes on once nobody asks it', async () => {
    await api.start();
    const apiVersion = 'admissionregistration.k8s.io/v1';
    const rules = [
      { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs'], operations: ['CREATE'] },
    ];
    const webhook = {
      name: 'queue.example.com',
      // A port on which nobody listens.
      clientConfig: { url: 'https://127.0.0.1:1/' },
      rules,
      failurePolicy: 'Fail',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    };
    const metadata = { name: 'away' };
    await apply(api.plane, [
      { apiVersion, kind: 'ValidatingWebhookConfiguration', metadata, webhooks: [webhook] },
    ]);
    await eventually('it is asked', () =>
      api.plane.kubectl(['create', 'job', 'some', '--image=x', '--dry-run=server']).then(
        () => false,
        (error: Error) => error.message.includes('failed calling webhook'),
      ),
    );
    const job = await createJob(api.plane, 'unasked');
    const { phase, failure } = await refusalOf('unasked');
    assert.equal(phase, 'Pending');
    assert.match(failure?.message ?? '', /failed calling webhook "queue\.example\.com"/);
    await api.plane.kubectl(['delete', 'validatingwebhookconfiguration/away']);
    await stageMade(api.plane, job, 'preflight');
    await statusOf(api.plane, 'unasked', 'no refusal any more', (now) => now.failure === undefined);
  });

  it('waits for a runtime whose Jobs are not valid to be mended', async () => {
    await api.start();
    // A resource without a domain is none that the API knows.
    await apply(api.plane, [runtime({ 'spec.accelerator.resourceName': 'gpu' }, 'broken')]);
    const job = await createJob(api.plane, 'wrong', { 'spec.runtimeRef.name': 'broken' });
    await passPreflight(job);
    const { failure } = await refusalOf('wrong');
    assert.match(failure?.message ?? '', /Job\.batch "\S+-train" is invalid: .*resources\.limits\[gpu\]/);
    await apply(api.plane, [runtime({}, 'broken')]);
    await stageMade(api.plane, job, 'train');
    await statusOf(api.plane, 'wrong', 'no refusal any more', (now) => now.failure === undefined);
  });
});
