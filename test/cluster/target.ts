import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterDirectory } from './cache.ts';
import type { Cluster } from './cluster.ts';
import { joinContext, leaveContext } from './context.ts';
import { EmbeddedCluster } from './embedded.ts';
import { stopEmbedded } from './embedded-stop.ts';
import { kindAnswers, startKind, stopKind } from './kind.ts';

/** Where things are tried out: a cluster the user names, kind, or the embedded one-node cluster. */
export type Target = 'context' | 'kind' | 'embedded';

/** An explicit FINETUNE_KUBE_CONTEXT wins; then kind, where it and a Docker engine are there; else the embedded cluster. */
export async function chooseTarget(): Promise<Target> {
  if (process.env['FINETUNE_KUBE_CONTEXT']) return 'context';
  return (await kindAnswers()) ? 'kind' : 'embedded';
}

/** Starts or joins the cluster `name`. Once started it keeps its kind, whatever is installed later. */
export async function startTarget(name: string, log: (line: string) => void): Promise<Cluster> {
  const target = (await targetOf(name)) ?? (await chooseTarget());
  await mkdir(clusterDirectory(name), { recursive: true });
  await writeFile(join(clusterDirectory(name), 'target'), target);
  if (target === 'embedded') return EmbeddedCluster.start(name, log);
  if (target === 'kind') return startKind(name, log);
  const context = process.env['FINETUNE_KUBE_CONTEXT'];
  if (!context)
    throw new Error(`cluster ${name} was joined with FINETUNE_KUBE_CONTEXT: set it, or run "down" first`);
  return joinContext(context, name, log);
}

/** Stops the cluster `name`, whatever kind it is. Does nothing when there is none. */
export async function stopTarget(name: string): Promise<void> {
  const target = await targetOf(name);
  if (target === 'kind') await stopKind(name);
  else if (target === 'context') await leaveContext(name);
  else await stopEmbedded(name);
}

async function targetOf(name: string): Promise<Target | undefined> {
  const file = join(clusterDirectory(name), 'target');
  return existsSync(file) ? ((await readFile(file, 'utf8')) as Target) : undefined;
}
