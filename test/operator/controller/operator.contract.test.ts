import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CoreV1Event, V1Job } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { stageName } from '../../../operator/manifests/names.ts';
import { job as smallestJob } from '../../crds/objects.ts';
import { apply, createJob, eventually, list, namespace, read, runPod, setPodStatus } from '../api.ts';
import { endedStatus, progressOf, runningStatus, succeeded, validated } from '../builders.ts';
import { statusOf, succeed, training } from '../stations.ts';
import { TestApi } from '../test-api.ts';
import { TrainerStub } from './trainer-stub.ts';

describe('operator on a real API server', () => {
  const api = new TestApi('operator');

  const phase = async (name: string) => (await read<FineTuneJob>(api.plane, 'ftj', name))?.status?.phase;
  const batchJobs = () => list<V1Job>(api.plane, 'jobs');
  const stageOf = async (job: FineTuneJob, stage: 'preflight' | 'train') =>
    read<V1Job>(api.plane, 'job', stageName(job.metadata, '1', stage));
  const stageMade = (job: FineTuneJob, stage: 'preflight' | 'train') =>
    eventually(`${stage} Job of ${job.metadata.name}`, () => stageOf(job, stage));
  /** Sum over all labels; undefined = no such series. */
  const metric = async (name: string) => {
    const text = await api.scrape();
    const lines = text
      .split('\n')
      .filter((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
    return lines.length === 0
      ? undefined
      : lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  /** A job of which all is said for now. Without a pod there would be more to say after a while. */
  const inPreflight = async (name: string) => {
    const job = await createJob(api.plane, name);
    await runPod(api.plane, await stageMade(job, 'preflight'), runningStatus);
    await statusOf(api.plane, name, 'preflight', ({ conditions }) =>
      conditions?.some(({ reason }) => reason === 'PreflightRunning'),
    );
    await api.proxy.quiet();
  };

  it('runs a job from creation to a model, shows its progress, and forgets it when it is deleted', async () => {
    const stub = new TrainerStub();
    const port = await stub.start();
    try {
      await api.start(['--poll-seconds=0.1', '--status-seconds=1'], { trainerPort: port });
      const job = await createJob(api.plane, 'whole');
      const { uid } = job.metadata;
      const preflight = await stageMade(job, 'preflight');
      assert.equal(preflight.metadata?.ownerReferences?.[0]?.uid, uid);
      const check = await runPod(api.plane, preflight, runningStatus);
      const report = { ...validated(check.metadata!.uid!), jobUid: uid };
      await setPodStatus(api.plane, check.metadata!.name!, endedStatus(0, report));

      const train = await stageMade(job, 'train');
      const pod = await runPod(api.plane, train, {});
      const podUid = pod.metadata!.uid!;
      let step = 0;
      stub.answer = (_, response) => {
        step = Math.min(1000, step + 1);
        response.end(JSON.stringify({ ...progressOf(podUid, { step, totalSteps: 1001 }), jobUid: uid }));
      };
      await setPodStatus(api.plane, pod.metadata!.name!, {
        ...runningStatus,
        podIP: '127.0.0.1',
        podIPs: [{ ip: '127.0.0.1' }],
      });
      await eventually('progress in the status', async () => {
        const { status } = (await read<FineTuneJob>(api.plane, 'ftj', 'whole'))!;
        return status?.phase === 'Training' && (status.progress?.step ?? 0) > 5;
      });
      await eventually('the step in the metrics', async () => ((await metric('finetune_job_step')) ?? 0) > 5);
      // Events are sent beside it.
      const told = () => api.proxy.writes.filter(({ path }) => path.endsWith('/whole/status')).length;
      const before = told();
      const begun = performance.now();
      await sleep(3000);
      const writes = told() - before;
      const perSecond = (1000 * writes) / (performance.now() - begun);
      assert.ok(perSecond <= 1.4, `${perSecond} progress writes a second at one a second`);

      const result = { ...succeeded(podUid), jobUid: uid };
      await setPodStatus(api.plane, pod.metadata!.name!, endedStatus(0, result));
      await eventually('success', async () => (await phase('whole')) === 'Succeeded');
      assert.equal((await batchJobs()).length, 2);
      // The operator counts when it has the answer to its write, which others may see before.
      const succeededJobs = 'finetune_jobs_finished_total{outcome="Succeeded"}';
      await eventually('one job counted', async () => (await metric(succeededJobs)) === 1);
      assert.equal(await metric('finetune_job_phase'), 1);
      const events = await eventually('the last event', async () => {
        const found = await list<CoreV1Event>(api.plane, 'events');
        return found.some(({ reason }) => reason === 'Succeeded') && found;
      });
      assert.ok(events.every(({ involvedObject }) => involvedObject.uid === uid));
      assert.equal(new Set(events.map(({ reason, message }) => `${reason} ${message}`)).size, events.length);

      await api.plane.kubectl(['delete', 'ftj', 'whole']);
      await eventually('no series', async () => (await metric('finetune_job_phase')) === undefined);
      assert.equal(await metric('finetune_job_step'), undefined);
      assert.deepEqual(api.refused(), []);
    } finally {
      stub.stop();
    }
  });

  it('writes nothing when nothing changed, however often it looks', async () => {
    await api.start();
    await inPreflight('calm');
    const passes = async () => (await metric('controller_runtime_reconcile_total')) ?? 0;
    const writes = api.proxy.writes.length;
    for (let i = 0; i < 5; i++) {
      const before = await passes();
      await api.plane.kubectl(['annotate', 'ftj', 'calm', '--overwrite', `touch=${i}`]);
      await eventually('a pass', async () => (await passes()) > before);
    }
    await api.proxy.quiet();
    assert.deepEqual(api.proxy.writes.slice(writes), []);
  });

  it('spends few requests on a run that goes well', async () => {
    // So that on a slow machine nothing is told of the waits between its steps.
    await api.start(['--status-seconds=600']);
    const before = api.proxy.requests.length;
    const run = await training(api.plane, 'cheap');
    await succeed(api.plane, run);
    await api.proxy.quiet();
    const spent = api.proxy.requests
      .slice(before)
      .filter(({ path, watch }) => !watch && !path.includes('/leases'))
      .map(({ method, path }) => `${method} ${path}`);
    const reads = spent.filter((each) => each.startsWith('GET '));
    // Two Jobs, six writes of the status, four events.
    assert.ok(spent.length - reads.length <= 12, spent.join('\n'));
    // None as a rule: one for each Job and status of its own that a slow watch does not show in time.
    assert.ok(reads.length <= 8, spent.join('\n'));
  });

  it('makes each child once, also after a restart', async () => {
    await api.start();
    await inPreflight('once');
    await api.stop();
    const writes = api.proxy.writes.length;
    await api.start();
    await api.proxy.quiet();
    assert.deepEqual(api.proxy.writes.slice(writes), []);
    assert.equal((await batchJobs()).length, 1);
  });

  it('keeps a job that was made anew under an old name apart from the old one', async () => {
    await api.start();
    const first = await createJob(api.plane, 'again');
    await stageMade(first, 'preflight');
    await api.plane.kubectl(['delete', 'ftj', 'again']);
    const second = await createJob(api.plane, 'again');
    const child = await stageMade(second, 'preflight');
    assert.notEqual(first.metadata.uid, second.metadata.uid);
    assert.equal(child.metadata?.ownerReferences?.[0]?.uid, second.metadata.uid);
    assert.ok(await stageOf(first, 'preflight'), 'the child of the first is left to the garbage collector');
    await eventually('status', async () => (await phase('again')) === 'Preflight');
  });

  it('does not take over an object of somebody else, says so, and goes on once it is gone', async () => {
    const job = await createJob(api.plane, 'taken');
    const name = stageName(job.metadata, '1', 'preflight');
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
    const metadata = { name, namespace };
    await apply(api.plane, [{ apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template } }]);
    await api.start();
    await eventually('the refusal', async () => {
      const { status } = (await read<FineTuneJob>(api.plane, 'ftj', 'taken'))!;
      return status?.conditions?.some(({ reason }) => reason === 'NameTaken');
    });
    const stranger = (await read<V1Job>(api.plane, 'job', name))!;
    assert.equal(stranger.metadata?.ownerReferences, undefined);
    await api.proxy.quiet();
    await api.plane.kubectl(['delete', 'job', name]);
    await api.plane.kubectl(['annotate', 'ftj', 'taken', 'touch=1']);
    await eventually('own Job', async () => (await stageOf(job, 'preflight'))?.metadata?.ownerReferences);
    await eventually('status', async () => (await phase('taken')) === 'Preflight');
  });

  it('starts no second trainer while the pod of a deleted Job is alive', async () => {
    await api.start();
    const job = await createJob(api.plane, 'twice');
    const check = await runPod(api.plane, await stageMade(job, 'preflight'), runningStatus);
    const report = { ...validated(check.metadata!.uid!), jobUid: job.metadata.uid };
    await setPodStatus(api.plane, check.metadata!.name!, endedStatus(0, report));
    const train = await stageMade(job, 'train');
    const pod = await runPod(api.plane, train, runningStatus);
    await eventually('training', async () => (await phase('twice')) === 'Training');

    await api.plane.kubectl(['delete', 'job', train.metadata!.name!]);
    await eventually('waiting', async () => (await phase('twice')) === 'Pending');
    await api.proxy.quiet();
    assert.equal(await stageOf(job, 'train'), undefined);

    await api.plane.kubectl(['delete', 'pod', pod.metadata!.name!, '--force', '--grace-period=0']);
    assert.notEqual((await stageMade(job, 'train')).metadata?.uid, train.metadata?.uid);
  });

  it('goes on after the API server was away', async () => {
    // A lease does not outlive an API server that is away for long.
    const running = await api.start(['--leader-elect=false']);
    await createJob(api.plane, 'before');
    await api.plane.restartApiServer();
    const job = await createJob(api.plane, 'behind');
    await stageMade(job, 'preflight');
    await eventually('status', async () => (await phase('behind')) === 'Preflight');
    assert.equal(running.operator.isReady, true);
  });

  it('uses its connections again, says who it is, and is refused nothing', async () => {
    await api.start();
    const make = async (prefix: string, count: number) => {
      const before = (await batchJobs()).length;
      await apply(
        api.plane,
        Array.from({ length: count }, (_, i) => smallestJob({}, `${prefix}-${i}`)),
      );
      await eventually('all preflights', async () => (await batchJobs()).length === before + count);
      await api.proxy.quiet();
    };
    await make('first', 20);
    const requests = api.proxy.requests.length;
    const connections = api.proxy.connections;
    await make('second', 60);
    const made = api.proxy.requests.length - requests;
    const opened = api.proxy.connections - connections;
    assert.ok(made > 100, `${made} requests`);
    // As many requests as may be under way at once: those of sixteen passes, four events.
    assert.ok(opened <= 20, `${opened} new connections for ${made} requests`);
    assert.ok(api.proxy.requests.every(({ userAgent }) => userAgent.startsWith('finetune-operator/')));
    assert.deepEqual(api.refused(requests), []);
  });
});
