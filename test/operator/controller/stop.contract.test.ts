import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { Lease } from '../../../operator/kube/lease.ts';
import { stageName } from '../../../operator/manifests/names.ts';
import { freePorts } from '../../cluster/control-plane.ts';
import { type Api, createJob, eventually, read, startApi } from '../api.ts';
import type { Recorded } from '../recording-proxy.ts';
import { Replica } from '../replica.ts';

/** What operator.ts allows for passes at a stop; 1 s for events and 2 s for the lease come after it. */
const passesMs = 6000;
/** The chart gives 15 s. */
const stopMs = 13_000;

describe('a leader that is told to stop', () => {
  let api: Api;
  let replica: Replica | undefined;
  before(async () => {
    api = await startApi('stop');
  });
  after(async () => {
    replica?.signal('SIGKILL');
    await api.stop();
  });

  const makesJob = ({ method, path }: Recorded) => method === 'POST' && path.endsWith('/jobs');
  const lease = () => read<Lease>(api.plane, 'lease', 'finetune-operator');
  /** A leader whose pass over a new job waits for the answer of the API server; `holds` says what else waits. */
  const busyLeader = async (name: string, holds: (request: Recorded) => boolean = makesJob) => {
    const [port = 0] = await freePorts(1);
    // Long enough that a lease which is not renewed is no reason to end.
    const started = new Replica(name, api, port, ['--lease-seconds=60']);
    replica = started;
    await eventually(`${name} works`, async () => started.says('working'));
    let hangs = false;
    api.proxy.holds = (request) => {
      hangs ||= makesJob(request);
      return hangs && holds(request);
    };
    const { metadata } = await createJob(api.plane, name);
    await eventually('the pass is under way', async () => api.proxy.held > 0);
    return { replica: started, child: stageName(metadata, '1', 'preflight') };
  };

  it('ends the pass that is under way, begins no other one, and lets go of the lease', async () => {
    const { replica, child } = await busyLeader('slow');
    const passes = api.proxy.requests.filter(makesJob).length;
    replica.signal('SIGTERM');
    await eventually('it stops', async () => replica.says('stopping'));
    await createJob(api.plane, 'late');
    await sleep(500);
    assert.equal(replica.process.exitCode, null, 'it waits for its pass');
    api.proxy.release();
    assert.deepEqual(await replica.ended, [0, null]);
    assert.ok(await read<V1Job>(api.plane, 'job', child));
    assert.equal(api.proxy.requests.filter(makesJob).length, passes);
    assert.equal((await lease())?.spec?.holderIdentity, '');
  });

  it('ends in order and in time when the API server hangs', async () => {
    const { replica, child } = await busyLeader('hung', () => true);
    const begun = performance.now();
    replica.signal('SIGTERM');
    assert.deepEqual(await replica.ended, [0, null]);
    const tookMs = performance.now() - begun;
    assert.ok(tookMs >= passesMs && tookMs < stopMs, `${Math.round(tookMs)} ms`);
    assert.ok(replica.says('lease was not released, it will run out'));
    assert.doesNotMatch(replica.output, /defect/);
    api.proxy.release();
    await sleep(500);
    assert.equal(await read<V1Job>(api.plane, 'job', child), undefined);
    assert.match((await lease())?.spec?.holderIdentity ?? '', /^hung_/);
  });
});
