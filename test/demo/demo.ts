/**
 * npm run demo: from nothing to a trained spam filter on a real cluster. Leaves the cluster up.
 * The last line of output is one JSON object with the figures of the run.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { binary } from '../cluster/binaries.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { buildImages } from '../cluster/images.ts';
import { waitFor } from '../cluster/wait.ts';
import { Buckets, createTeam, installOperator, samples, startMonitoring } from '../e2e/platform.ts';
import { demoCounts, demoEmails } from './data.ts';
import { readExample, withEndpoint } from './example.ts';
import { type JobView, progressLine, summary, type TrainingReport } from './narration.ts';

const namespace = 'team-a';
const began = Date.now();

function say(line: string): void {
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(
    `[${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}] ${line}`,
  );
}

async function show(cluster: Cluster, args: string[]): Promise<void> {
  console.log(`\n$ kubectl ${args.join(' ')}`);
  console.log((await cluster.kubectl(args)).trimEnd());
}

async function getJob(cluster: Cluster, name: string): Promise<JobView> {
  return JSON.parse(
    await cluster.kubectl(['get', 'finetunejob', name, '-n', namespace, '-o', 'json']),
  ) as JobView;
}

/** Prints what changes until the run has ended; gives the job as it ended. */
function follow(cluster: Cluster, name: string): Promise<JobView> {
  let last = '';
  const ended = async () => {
    const job = await getJob(cluster, name);
    const line = progressLine(job);
    if (line !== last) say(line);
    last = line;
    return job.status?.completionTime !== undefined && job;
  };
  return waitFor('the end of the run', ended, { timeoutMs: 20 * 60_000, intervalMs: 2000 });
}

say('Building the images of operator and trainer, and starting a cluster');
const images = await buildImages(say);
const cluster = await startCluster('demo', say);

say('Installing the Helm chart and starting Prometheus');
await installOperator(cluster, images);
const prometheus = await startMonitoring(cluster);
await createTeam(cluster, namespace);

say('Uploading a real model (MiniLM, 22.7 million parameters) and real e-mails to S3');
const buckets = new Buckets(cluster.s3);
await demoEmails(buckets);
say(`${demoCounts.train} e-mails to train on, ${demoCounts.test} held out for the verdict`);

const manifest = withEndpoint(readExample('spam-filter.yaml'), cluster.s3.endpoint);
// Each demo starts anew: a finished run would be recognised by what it left in the bucket.
await cluster.kubectl(['delete', 'finetunejob', 'spam-filter', '-n', namespace, '--ignore-not-found']);
await buckets.empty('results', 'spam-filter/');
say('$ kubectl apply -f examples/spam-filter.yaml');
await cluster.kubectl(['apply', '-n', namespace, '-f', '-'], { input: stringify(manifest) });
const startSeconds = Date.now() / 1000;
const job = await follow(cluster, 'spam-filter');

await show(cluster, ['get', 'ftj', '-n', namespace]);
await show(cluster, ['get', 'ftj', '-n', namespace, '-o', 'wide']);
await show(cluster, [
  'get',
  'events',
  '-n',
  namespace,
  '--field-selector',
  'involvedObject.kind=FineTuneJob',
]);

const series = `finetune_trainer_loss{job="spam-filter",namespace="${namespace}"}`;
const seen = await samples(prometheus, series, startSeconds);
console.log(
  `\nPrometheus saw ${seen.length} samples of ${series}: ${seen[0]?.toFixed(3)} ... ${seen.at(-1)?.toFixed(3)}`,
);

const folder = join(cluster.directory, 'result');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const prefix = 'spam-filter/';
for (const key of await buckets.list('results', prefix)) {
  if (!key.startsWith(`${prefix}report/`)) continue;
  const file = join(folder, key.slice(prefix.length));
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, await buckets.get('results', key));
}
buckets.close();

console.log(`
Look around:
  export KUBECONFIG=${cluster.kubeconfig}
  kubectl get ftj -A -w            (this cluster's own: ${binary('kubectl')})
  kubectl describe ftj spam-filter -n ${namespace}
  Prometheus   ${prometheus.url}
  Model        ${job.status?.result?.uri ?? 'not published'}
  Report       ${join(folder, 'report', 'report.html')}
  S3           ${cluster.s3.endpoint} (folder ${cluster.s3.directory})
Stop everything:
  npm run demo:down
`);
// A run that failed has no report; status.failure, shown above, says why.
const reportFile = join(folder, 'report', 'report.json');
const report: TrainingReport = existsSync(reportFile)
  ? (JSON.parse(readFileSync(reportFile, 'utf8')) as TrainingReport)
  : { stepLosses: [] };
console.log(JSON.stringify(summary(job, report, seen)));
process.exit(job.status?.phase === 'Succeeded' ? 0 : 1);
