/** What a platform team sets up once: operator, runtime, buckets, a namespace for a team. Used by the demo and the tests. */
import { createReadStream, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { stringify } from 'yaml';
import type { Cluster, Prometheus, S3Server } from '../cluster/cluster.ts';
import { startPrometheus } from '../cluster/cluster.ts';
import type { BuiltImage } from '../cluster/images.ts';

export type Images = { operator: BuiltImage; trainer: BuiltImage };
export const operatorNamespace = 'finetune-system';
const chart = new URL('../../helm/finetune-operator', import.meta.url).pathname;

/** Loads the images and installs the chart; running it again upgrades. */
export async function installOperator(cluster: Cluster, images: Images, values: object = {}): Promise<void> {
  for (const image of [images.operator, images.trainer])
    await cluster.loadImage(image.archive, image.reference);
  const split = (reference: string) => ({
    repository: reference.slice(0, reference.lastIndexOf(':')),
    tag: reference.slice(reference.lastIndexOf(':') + 1),
  });
  const defaults = {
    image: { ...split(images.operator.reference), pullPolicy: 'IfNotPresent' },
    spec: {
      image: images.trainer.reference,
      imagePullPolicy: 'IfNotPresent',
      // The embedded node only advertises GPUs.
      accelerator: { whenUnusable: 'UseCPU' },
      // A job may ask for less than the two cores and still use both while they are free.
      trainer: { cpu: '2', memory: '6Gi' },
    },
  };
  await cluster.helm(
    [
      'upgrade',
      '--install',
      'finetune-operator',
      chart,
      '--namespace',
      operatorNamespace,
      '--create-namespace',
      '--wait',
      '--timeout',
      '3m',
      '--set-json',
      `image=${JSON.stringify(defaults.image)}`,
      '--set-json',
      `runtime.spec=${JSON.stringify(defaults.spec)}`,
      ...Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]),
    ],
    { timeoutMs: 200_000 },
  );
}

/** A namespace that admits only restricted pods, with the S3 credentials of the team in the Secret `s3`. */
export async function createTeam(cluster: Cluster, namespace: string): Promise<void> {
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    secret(namespace, 's3', {
      accessKeyId: cluster.s3.accessKeyId,
      secretAccessKey: cluster.s3.secretAccessKey,
    }),
  ];
  await apply(cluster, objects);
}

/** Manifest of a Secret with plain values. */
export function secret(namespace: string, name: string, stringData: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData };
}

/** kubectl apply of any objects. */
export async function apply(cluster: Cluster, objects: readonly object[]): Promise<string> {
  return cluster.kubectl(['apply', '-f', '-'], {
    input: objects.map((object) => stringify(object)).join('---\n'),
  });
}

/** The buckets of the platform's S3 server. */
export class Buckets {
  readonly #client: S3Client;

  constructor(server: S3Server) {
    this.#client = new S3Client({
      endpoint: server.endpoint,
      region: server.region,
      forcePathStyle: true,
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    });
  }

  async create(bucket: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
      if (!/BucketAlready/.test(error.name)) throw error;
    });
  }

  async put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
    // Said aloud, since the client takes an empty body for a stream of unknown length.
    const length = { ContentLength: Buffer.byteLength(body) };
    await this.#client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...length }));
  }

  /** Uploads the files of a folder (not its sub-folders) that `only` accepts. */
  async putFolder(
    bucket: string,
    prefix: string,
    directory: string,
    only = (_: string) => true,
  ): Promise<void> {
    for (const name of readdirSync(directory)) {
      const file = join(directory, name);
      const stats = statSync(file);
      if (!stats.isFile() || !only(name)) continue;
      await this.#client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: `${prefix}/${name}`,
          Body: createReadStream(file),
          ContentLength: stats.size,
        }),
      );
    }
  }

  async get(bucket: string, key: string): Promise<Buffer> {
    const answer = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from(await answer.Body!.transformToByteArray());
  }

  async list(bucket: string, prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(token && { ContinuationToken: token }),
        }),
      );
      keys.push(...(page.Contents ?? []).map((object) => object.Key!));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }

  /** Removes all objects under the prefix. */
  async empty(bucket: string, prefix: string): Promise<void> {
    for (const key of await this.list(bucket, prefix)) {
      await this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

const scraped = 'app.kubernetes.io/name in (finetune-operator,finetune-trainer)';

/**
 * A real Prometheus that scrapes operator and trainers. Debian's build has no Kubernetes discovery, so the running pods
 * are listed into a file that it watches.
 */
export async function startMonitoring(cluster: Cluster): Promise<Prometheus> {
  const targets = join(cluster.directory, 'scrape-targets.json');
  const listPods = async () => {
    const list = ['get', 'pods', '-A', '-l', scraped, '--field-selector=status.phase=Running', '-o', 'json'];
    const { items } = JSON.parse(await cluster.kubectl(list)) as { items: RunningPod[] };
    const groups = items
      .filter(({ status }) => status.podIP !== undefined)
      .map(({ metadata, status }) => ({ targets: [`${status.podIP}:8080`], labels: { pod: metadata.name } }));
    writeFileSync(`${targets}.part`, JSON.stringify(groups));
    renameSync(`${targets}.part`, targets);
  };
  await listPods();
  // The API server may be away for a moment; the next round lists again.
  const timer = setInterval(() => void listPods().catch(() => undefined), 2000);
  timer.unref();
  const job = {
    job_name: 'finetune',
    // The series carry the name of the FineTuneJob as the label job.
    honor_labels: true,
    file_sd_configs: [{ files: [targets], refresh_interval: '2s' }],
  };
  const config = { global: { scrape_interval: '2s', scrape_timeout: '2s' }, scrape_configs: [job] };
  const prometheus = await startPrometheus(cluster, { config: stringify(config) });
  return {
    ...prometheus,
    stop: async () => {
      clearInterval(timer);
      await prometheus.stop();
    },
  };
}

type RunningPod = { metadata: { name: string }; status: { podIP?: string } };

/** Values of an instant query, one for each series. */
export async function instant(prometheus: Prometheus, promql: string): Promise<number[]> {
  const series = (await prometheus.query(promql)) as { value: [number, string] }[];
  return series.map(({ value }) => Number(value[1]));
}

/** All samples of a query since `startSeconds` (Unix time), series after series. */
export async function samples(
  prometheus: Prometheus,
  promql: string,
  startSeconds: number,
): Promise<number[]> {
  const series = (await prometheus.queryRange(promql, startSeconds, Date.now() / 1000, 2)) as {
    values: [number, string][];
  }[];
  return series.flatMap(({ values }) => values.map(([, value]) => Number(value)));
}
