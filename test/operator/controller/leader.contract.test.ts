import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import type { Lease } from '../../../operator/kube/lease.ts';
import { stageName } from '../../../operator/manifests/names.ts';
import { freePorts } from '../../cluster/control-plane.ts';
import { type Api, createJob, eventually, list, read, startApi } from '../api.ts';
import { Replica } from '../replica.ts';
import { succeed, training } from '../stations.ts';

describe('two replicas', () => {
  let api: Api;
  const replicas: Replica[] = [];
  before(async () => {
    api = await startApi('leader');
  });
  after(async () => {
    for (const replica of replicas) replica.signal('SIGKILL');
    await api.stop();
  });

  const start = async (name: string, before?: string) => {
    const [port = 0] = await freePorts(1);
    const replica = new Replica(name, api, port, [], before);
    replicas.push(replica);
    return replica;
  };
  const holder = async () =>
    (await read<Lease>(api.plane, 'lease', 'finetune-operator'))?.spec?.holderIdentity;
  const isHeldBy =
    ({ name }: Replica) =>
    async () =>
      (await holder())?.startsWith(`${name}_`);
  const takesOver = (replica: Replica, limitMs?: number) =>
    eventually(`${replica.name} holds the lease`, isHeldBy(replica), limitMs);
  const works = async (name: string) => {
    const job = await createJob(api.plane, name);
    const child = stageName(job.metadata, '1', 'preflight');
    await eventually(`Job of ${name}`, () => read<V1Job>(api.plane, 'job', child));
  };

  const isCancelled = async (name: string) =>
    (await read<FineTuneJob>(api.plane, 'ftj', name))?.status?.phase === 'Cancelled';

  /** After a crash it takes longer: a lease lasts 15 seconds from its last renewal, which is at most a few back. */
  const leastMs = 8000;
  /** The lease, one look at it, and what a busy machine takes for both and for asking. */
  const mostMs = 15_000 + 2000 + 8000;

  it('hand over at once on a clean stop, after the lease ran out on a crash, and a paused leader does no harm', async () => {
    const first = await start('first');
    await takesOver(first);
    const second = await start('second');
    await eventually(
      'second waits',
      async () => second.says('listed') && second.says('waiting for the lease'),
    );
    await works('one');
    assert.deepEqual([await first.leads(), await second.leads()], ['1', '0']);
    const run = await training(api.plane, 'midway');

    // As in a rolling update: the old replica is told to stop while a trainer runs.
    first.signal('SIGTERM');
    assert.deepEqual(await first.ended, [0, null]);
    const stopped = performance.now();
    await takesOver(second);
    const handedOverMs = performance.now() - stopped;
    assert.ok(handedOverMs < leastMs, `handed over after ${handedOverMs} ms, as after a crash`);
    await works('two');
    await succeed(api.plane, run);
    const { status } = (await read<FineTuneJob>(api.plane, 'ftj', 'midway'))!;
    assert.equal(status?.usage?.attempts, 1);
    const ofRun = ({ metadata }: V1Job) => metadata?.ownerReferences?.[0]?.uid === run.job.metadata.uid;
    assert.equal((await list<V1Job>(api.plane, 'jobs')).filter(ofRun).length, 2, 'nothing is made again');

    const third = await start('third', import.meta.resolve('../stop-after-read.ts'));
    await eventually('third waits', async () => third.says('waiting for the lease'));
    second.signal('SIGKILL');
    const killed = performance.now();
    await second.ended;
    await takesOver(third, mostMs);
    const tookMs = performance.now() - killed;
    assert.ok(tookMs > leastMs, `the lease was taken ${tookMs} ms after the crash, before it ran out`);
    await works('three');

    const fourth = await start('fourth');
    await eventually('fourth waits', async () => fourth.says('waiting for the lease'));
    // Before it ends a run it reads anew what it knows, and stops between that and the write.
    await api.plane.kubectl(['patch', 'ftj', 'three', '--type=merge', '-p', '{"spec":{"cancel":true}}']);
    // It stops when it is about to write, which is not at once.
    await takesOver(fourth, 40_000);
    await eventually('fourth ends the run', () => isCancelled('three'));
    await api.proxy.quiet();
    const before = api.proxy.writes.length;
    third.signal('SIGCONT');
    assert.deepEqual(await third.ended, [1, null]);
    assert.ok(third.says('the lease was lost: this process ends, so that two never write'));
    await sleep(500);
    assert.deepEqual(api.proxy.writes.slice(before), []);
    assert.match(third.output, /not sent, the lease is no longer held/, 'it was about to write');
    assert.ok(await isHeldBy(fourth)());
  });
});
