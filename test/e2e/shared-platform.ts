/** The one cluster that all end-to-end files use: starting it again costs nothing, and `npm test` takes it down at the end. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { buildImages } from '../cluster/images.ts';
import { asJsonLines, emailSplits } from '../demo/emails.ts';
import { miniLmDirectory } from '../golden/minilm.ts';
import { Buckets, createTeam, type Images, installOperator } from './platform.ts';

export type Platform = { cluster: Cluster; images: Images; buckets: Buckets; namespace: string };

/** Brings up cluster, operator, buckets and a team namespace of its own for the calling file. */
export async function sharedPlatform(namespace: string): Promise<Platform> {
  const log = (line: string) => console.error(`# ${line}`);
  const images = await buildImages(log);
  const cluster = await startCluster('test', log);
  // Small preflight pods, so that a dozen bad jobs are checked side by side on two cores.
  await installOperator(cluster, images, {
    'runtime.spec.preflight': { cpu: '100m', memory: '1Gi' },
    // Progress at once: tests that break in at a step must not learn of it when the run is over.
    settings: { 'poll-seconds': 1, 'status-seconds': 1 },
  });
  const buckets = new Buckets(cluster.s3);
  for (const bucket of ['models', 'datasets', 'results']) await buckets.create(bucket);
  await buckets.putFolder('models', 'minilm', await miniLmDirectory());
  const few = await emailSplits({ train: 240, validation: 40, test: 60 });
  for (const [split, rows] of Object.entries(few)) {
    await buckets.put('datasets', `few-emails/${split}.jsonl`, asJsonLines(rows));
  }
  await createTeam(cluster, namespace);
  return { cluster, images, buckets, namespace };
}

/** A folder that is removed when the test process ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'finetune-e2e-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
