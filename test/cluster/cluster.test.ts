import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { busyboxImage, ensureBusyboxImage } from './busybox-image.ts';
import { type Cluster, startCluster, startPrometheus } from './cluster.ts';
import { waitFor } from './wait.ts';

const namespace = 'cluster-test';
let cluster: Cluster;

type NodeObject = {
  status: {
    allocatable: Record<string, string>;
    conditions: { type: string; lastHeartbeatTime: string }[];
  };
};

type Pod = {
  metadata: { name: string };
  status: {
    phase: string;
    podIP?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      state: {
        waiting?: { reason: string };
        terminated?: { reason: string; exitCode: number; message?: string };
      };
    }[];
  };
};

/** A pod that the PodSecurity level `restricted` lets in. */
function pod(name: string, script: string, resources: object = {}, image = busyboxImage): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: true,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          resources,
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  };
}

function apply(object: object): Promise<string> {
  return cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
}

async function readPod(name: string): Promise<Pod> {
  return JSON.parse(await cluster.kubectl(['get', 'pod', name, '-n', namespace, '-o', 'json'])) as Pod;
}

function podWhen(name: string, condition: (found: Pod) => boolean): Promise<Pod> {
  return waitFor(
    `pod ${name}`,
    async () => {
      const found = await readPod(name);
      return condition(found) && found;
    },
    { timeoutMs: 60_000 },
  );
}

const finished = ({ status }: Pod) => status.phase === 'Succeeded' || status.phase === 'Failed';
const terminated = ({ status }: Pod) => status.containerStatuses?.[0]?.state.terminated;

async function runToEnd(
  name: string,
  script: string,
  resources: object = {},
): Promise<{ pod: Pod; log: string }> {
  await apply(pod(name, script, resources));
  const found = await podWhen(name, finished);
  return { pod: found, log: await cluster.kubectl(['logs', name, '-n', namespace]) };
}

describe('embedded cluster', { timeout: 600_000 }, () => {
  before(async () => {
    cluster = await startCluster('test');
    await cluster.loadImage(await ensureBusyboxImage(), busyboxImage);
    await cluster.kubectl(['delete', 'namespace', namespace, '--ignore-not-found'], { timeoutMs: 120_000 });
    await cluster.kubectl(['create', 'namespace', namespace]);
    const level = 'pod-security.kubernetes.io/enforce=restricted';
    await cluster.kubectl(['label', 'namespace', namespace, level]);
    await waitFor('service account', () => cluster.kubectl(['get', 'sa', 'default', '-n', namespace]), {
      timeoutMs: 30_000,
    });
  });

  after(() => cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']));

  test('a second start joins the running cluster', async () => {
    const lines: string[] = [];
    const uid = await cluster.kubectl(['get', 'node', cluster.nodeName, '-o', 'jsonpath={.metadata.uid}']);
    const again = await startCluster('test', (line) => lines.push(line));
    assert.deepEqual(lines, []);
    assert.equal(await again.kubectl(['get', 'node', again.nodeName, '-o', 'jsonpath={.metadata.uid}']), uid);
    assert.deepEqual(again.s3, cluster.s3);
  });

  test('loading an image that is there is quick', async () => {
    const archive = await ensureBusyboxImage();
    const started = Date.now();
    await cluster.loadImage(archive, busyboxImage);
    assert.ok(Date.now() - started < 2000);
  });

  test('a restricted Job completes and its termination message arrives', async () => {
    const { spec } = pod('unused', 'id -u; echo -n done > /dev/termination-log') as { spec: object };
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'restricted', namespace },
      spec: { backoffLimit: 0, template: { spec } },
    });
    const wait = ['wait', '--for=condition=Complete', 'job/restricted', '-n', namespace, '--timeout=60s'];
    await cluster.kubectl(wait, { timeoutMs: 70_000 });
    assert.equal(await cluster.kubectl(['logs', 'job/restricted', '-n', namespace]), '1000\n');
    const pods = await cluster.kubectl([
      'get',
      'pods',
      '-n',
      namespace,
      '-l',
      'job-name=restricted',
      '-o',
      'json',
    ]);
    const [found] = (JSON.parse(pods) as { items: Pod[] }).items;
    assert.equal(terminated(found!)?.message, 'done');
  });

  test('PodSecurity refuses a root pod', async () => {
    const root = pod('root', 'id') as { spec: { securityContext: object } };
    root.spec.securityContext = { runAsUser: 0 };
    await assert.rejects(apply(root), /violates PodSecurity "restricted/);
  });

  test('one GPU is scheduled, three stay pending', async () => {
    await apply(pod('gpus-3', 'true', { limits: { 'nvidia.com/gpu': 3 } }));
    const { pod: one } = await runToEnd('gpu-1', 'true', { limits: { 'nvidia.com/gpu': 1 } });
    assert.equal(one.status.phase, 'Succeeded');
    const three = await podWhen('gpus-3', ({ status }) => status.conditions?.[0]?.reason === 'Unschedulable');
    assert.match(three.status.conditions![0]!.message!, /Insufficient nvidia.com\/gpu/);
  });

  test('the GPUs survive the kubelet’s own status updates', async () => {
    const read = async () => {
      const text = await cluster.kubectl(['get', 'node', cluster.nodeName, '-o', 'json']);
      const { status } = JSON.parse(text) as NodeObject;
      const ready = status.conditions.find(({ type }) => type === 'Ready');
      return { heartbeat: ready?.lastHeartbeatTime, gpus: status.allocatable['nvidia.com/gpu'] };
    };
    const before = await read();
    // A status that differs from what the kubelet finds makes it write the whole of it anew.
    const patch = ['--type=merge', '--patch', '{"status":{"capacity":{"pods":"1"}}}'];
    await cluster.kubectl(['patch', 'node', cluster.nodeName, '--subresource=status', ...patch]);
    const later = await waitFor(
      'a new heartbeat',
      async () => {
        const found = await read();
        return found.heartbeat !== before.heartbeat && found;
      },
      { timeoutMs: 60_000 },
    );
    assert.equal(later.gpus, '2');
  });

  test('more memory than the limit is OOMKilled', async () => {
    const limits = { limits: { memory: '32Mi' } };
    const { pod: found } = await runToEnd('memory', 'dd if=/dev/zero of=/dev/null bs=200M count=1', limits);
    const end = terminated(found)!;
    assert.deepEqual([end.reason, end.exitCode], ['OOMKilled', 137]);
  });

  test('a missing image is reported', async () => {
    await apply(pod('no-image', 'true', {}, 'finetune.dev/no-such-image:1'));
    const reasons = ['ErrImagePull', 'ImagePullBackOff'];
    await podWhen('no-image', ({ status }) =>
      reasons.includes(status.containerStatuses?.[0]?.state.waiting?.reason ?? ''),
    );
  });

  test('a pod reaches the API server at its Service address, the S3 server and another pod; the host reaches the pod', async () => {
    await apply(pod('server', 'echo hello > /dev/shm/index.html; exec httpd -f -p 8080 -h /dev/shm'));
    const { status } = await podWhen('server', (found) => found.status.phase === 'Running');
    const page = `http://${status.podIP}:8080/index.html`;
    assert.equal(
      await waitFor('pod answers', async () => (await fetch(page)).text(), { timeoutMs: 10_000 }),
      'hello\n',
    );
    const script = [
      `wget -q -O - ${page}`,
      `wget -q -O - ${cluster.s3.endpoint} 2>&1`,
      'wget -q -O - --no-check-certificate https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/healthz 2>&1',
      'true',
    ].join('\n');
    const { log } = await runToEnd('client', script);
    assert.match(log, /^hello\n.*403.*\n.*(ok|401)/s);
  });

  test('exec reaches into a pod', async () => {
    await apply(pod('shell', 'sleep 600'));
    await podWhen('shell', (found) => found.status.phase === 'Running');
    assert.equal(
      await cluster.kubectl(['exec', 'shell', '-n', namespace, '--', 'echo', 'inside']),
      'inside\n',
    );
  });

  test('S3 refuses an unsigned request', async () => {
    assert.equal((await fetch(cluster.s3.endpoint)).status, 403);
  });

  test('helm talks to the cluster', async () => {
    assert.match(await cluster.helm(['list', '--all-namespaces']), /NAME/);
  });

  test('Prometheus scrapes and answers queries', async () => {
    const script = 'echo probe_value 42 > /dev/shm/metrics; exec httpd -f -p 8080 -h /dev/shm';
    await apply(pod('metrics', script));
    const { status } = await podWhen('metrics', (found) => found.status.phase === 'Running');
    const config = `
scrape_configs:
  - job_name: probe
    scrape_interval: 1s
    static_configs: [{ targets: ['${status.podIP}:8080'] }]`;
    const prometheus = await startPrometheus(cluster, { config });
    try {
      const value = await waitFor(
        'the scraped value',
        async () => {
          const result = (await prometheus.query('probe_value')) as { value: [number, string] }[];
          return result[0]?.value[1];
        },
        { timeoutMs: 20_000 },
      );
      assert.equal(value, '42');
      const now = Date.now() / 1000;
      const range = (await prometheus.queryRange('probe_value', now - 10, now, 1)) as { values: unknown[] }[];
      assert.ok(range[0]!.values.length > 0);
      await assert.rejects(prometheus.query('up{'), /parse error/);
    } finally {
      await prometheus.stop();
    }
  });
});
