/** What is measured about the operator, and the bars. */
import { waitFor } from '../../test/cluster/wait.ts';
import { namespace } from '../../test/operator/api.ts';
import { median, quantile } from '../averages.ts';
import { copyRemains, remainsOf } from './ended.ts';
import { beside, type Line, latency, line, namesOf, requestCount, requestLines, siteLines } from './lines.ts';
import { withLogs } from './logs.ts';
import { peerBurst } from './peer.ts';
import { Poison, refuseItsStatus } from './poison.ts';
import { inWords, processorTime } from './processor-time.ts';
import type { Runs } from './runs.ts';
import { Site, type SiteOptions } from './site.ts';

export type Settings = SiteOptions & { jobs: number; log: (line: string) => void };

type Case = (settings: Settings) => Promise<Line[]>;

/** With how many jobs each is measured, and how long their trainers train. */
export const cases: Record<string, { measure: Case; jobs: number; trainSeconds: number }> = {
  burst: { measure: burstBesidePeer, jobs: 1000, trainSeconds: 20 },
  rate: { measure: rate, jobs: 1000, trainSeconds: 20 },
  poison: { measure: poison, jobs: 500, trainSeconds: 20 },
  // Two cores get five or six jobs a second through, so with less time hardly a hundred would train at a time.
  large: { measure: burst, jobs: 10_000, trainSeconds: 120 },
  restart: { measure: restart, jobs: 10_000, trainSeconds: 20 },
};

/** The operator, then Kubeflow's Trainer with as many jobs on a cluster of its own. */
async function burstBesidePeer(settings: Settings): Promise<Line[]> {
  const ours = await burst(settings);
  settings.log('Kubeflow Trainer');
  return beside(ours, await peerBurst(burstName(settings.jobs), settings));
}

/** How many processes a restart is measured with: the median of their times counts, and the most memory. */
const restarts = 3;

const burstName = (jobs: number) => `${jobs} jobs at once`;

/** All at once; the queue lets in `active` at a time. How many of those are at work depends on how fast the cluster is. */
async function burst(settings: Settings): Promise<Line[]> {
  const { jobs, log } = settings;
  return onSite(settings, async (site) => {
    const { operator } = await site.startOperator();
    const spent = processorTime();
    await site.create(namesOf('run', jobs));
    log(`all ${jobs} FineTuneJobs are there`);
    await site.runs.allEnded(log);
    log(`${site.runs.wholeSeconds.toFixed(1)} s, ${inMiB(operator).toFixed(1)} MiB`);
    checkSuccess(site.runs, jobs);
    // With fewer jobs than places the first of them may be over before the last has come.
    if (settings.active < jobs) checkFull(site.queue.peak, settings.active);
    const name = burstName(jobs);
    const seconds = spent();
    log(`processor time: ${inWords(seconds)}`);
    return [
      line(`${name}: all done`, site.runs.wholeSeconds, 's', jobs === 1000 ? 120 : null),
      ...latency(name, site.runs),
      line(`${name}: trainers at a time, most`, site.trainers.peak, 'trainers'),
      ...(await costs(name, site, operator, jobs)),
      ...siteLines(name, seconds),
    ];
  });
}

/** New processes, one after the other, among runs that are over: each is a copy of one that was run, with its Jobs and pods. */
async function restart(settings: Settings): Promise<Line[]> {
  const { jobs, log } = settings;
  return onSite(settings, async (site) => {
    const { operator } = await site.startOperator();
    await site.create(['pattern']);
    await site.runs.allEnded(log);
    checkSuccess(site.runs, 1);
    const read = () => remainsOf(site.api, namespace, 'pattern');
    const remains = await waitFor('what the run left', read, { timeoutMs: 60_000 });
    await operator.kill('SIGTERM');
    await copyRemains(site.api, remains, namesOf('run', jobs - 1), log);
    const seconds: number[] = [];
    const memories: number[] = [];
    for (let i = 1; i <= restarts; i++) {
      const spent = processorTime();
      const next = await site.startOperator();
      log(`processor time until ready: ${inWords(spent())}`);
      await passForEach(next.operator, jobs);
      seconds.push(next.readySeconds);
      memories.push(inMiB(next.operator));
      log(`start ${i}: ready after ${next.readySeconds.toFixed(1)} s, ${memories.at(-1)!.toFixed(1)} MiB`);
      await next.operator.kill('SIGTERM');
    }
    const name = `restart among ${jobs} ended jobs`;
    return [
      line(`${name}: ready`, median(seconds), 's', 15),
      line(`${name}: operator memory, high-water mark`, Math.max(...memories), 'MiB', 250),
    ];
  });
}

async function passForEach(operator: Process, jobs: number): Promise<void> {
  // A scrape among ten thousand jobs is a load of its own.
  const waiting = { timeoutMs: 300_000, intervalMs: 5000 };
  const passes = () => operator.metric('controller_runtime_reconcile_total');
  await waitFor('a pass for each', async () => (await passes()) >= jobs, waiting);
  const writes = await operator.metric('finetune_operator_status_writes_total');
  if (writes > 0) throw new Error(`the copies are not like runs that are over: ${writes} status writes`);
}

/** A steady stream of new jobs. */
async function rate(settings: Settings): Promise<Line[]> {
  const { jobs, log } = settings;
  return onSite(settings, async (site) => {
    await site.startOperator();
    await site.create(namesOf('run', jobs), 100);
    await site.runs.allEnded(log);
    checkSuccess(site.runs, jobs);
    return latency(`${jobs} jobs, 100 a second`, site.runs, 5);
  });
}

type Process = Awaited<ReturnType<Site['startOperator']>>['operator'];

async function costs(name: string, site: Site, operator: Process, jobs: number): Promise<Line[]> {
  const { progressWrites, statusWrites } = site.runs;
  const all = await site.requests();
  const counted = statusWrites - (all.get('update finetunejobs/status') ?? 0);
  if (counted !== 0)
    throw new Error(`the audit log and the watch differ by ${counted} status writes of ${statusWrites}`);
  const connections = await operator.metric('finetune_operator_api_connections_total');
  const requests = await operator.metric('rest_client_requests_total');
  return [
    line(
      `${name}: API requests a job without progress writes`,
      (requestCount(all) - progressWrites) / jobs,
      'requests',
      14,
    ),
    ...requestLines(name, all, jobs),
    line(`${name}: progress writes a job, of the status updates`, progressWrites / jobs, 'requests'),
    line(`${name}: TLS handshakes for 1000 requests`, (connections / requests) * 1000, 'handshakes', 20),
    memory(name, operator),
    line(`${name}: operator CPU`, operator.cpuSeconds, 's'),
  ];
}

function memory(name: string, operator: Process): Line {
  return line(`${name}: operator memory, high-water mark`, inMiB(operator), 'MiB', 250);
}

function inMiB({ peakRssBytes }: Process): number {
  return peakRssBytes / 2 ** 20;
}

function checkSuccess(runs: Runs, jobs: number): void {
  const { phases } = runs;
  if (phases['Succeeded'] !== jobs) throw new Error(`not all runs succeeded: ${JSON.stringify(phases)}`);
}

/** Nothing is shown about a full queue when it never was full. */
function checkFull(peak: number, active: number): void {
  if (peak < active) throw new Error(`the queue let in ${peak} trainers at a time, not ${active}`);
}

const rounds = 3;
/** Of the passes of a poisoned job, while five hundred others are run beside it. */
const fewestFailures = 5;

/** Healthy jobs alone, then beside one whose every pass fails, in turns. */
async function poison(settings: Settings): Promise<Line[]> {
  const { jobs, log } = settings;
  const healthy: number[] = [];
  const beside: number[] = [];
  await onSite(settings, async (site) => {
    const { operator } = await site.startOperator();
    const failedPasses = () => operator.metric('controller_runtime_reconcile_errors_total');
    await refuseItsStatus(site.api);
    const batch = async (name: string) => {
      const before = site.runs.jobSeconds.length;
      await site.create(namesOf(name, jobs), 100);
      await site.runs.allEnded(log);
      return site.runs.jobSeconds.slice(before);
    };
    for (let round = 1; round <= rounds; round++) {
      healthy.push(...(await batch(`alone-${round}`)));
      const failedBefore = await failedPasses();
      const poisoned = await Poison.start(site.api, namespace);
      beside.push(...(await batch(`beside-${round}`)));
      const failed = (await failedPasses()) - failedBefore;
      await poisoned.stop();
      if (failed < fewestFailures) throw new Error(`only ${failed} passes failed: the job was not poisoned`);
      log(`round ${round}: p99 ${quantile(healthy, 0.99)} alone, ${quantile(beside, 0.99)} beside`);
    }
    return [];
  });
  const ratio = quantile(beside, 0.99) / quantile(healthy, 0.99);
  return [
    line(`${jobs} jobs, 100 a second: FineTuneJob to Job, p99`, quantile(healthy, 0.99), 's'),
    line(`${jobs} jobs beside a poisoned one: FineTuneJob to Job, p99`, quantile(beside, 0.99), 's'),
    line(`${jobs} jobs beside a poisoned one: p99 / p99 without it`, ratio, 'ratio', 1.2),
  ];
}

async function onSite<T>(settings: Settings, use: (site: Site) => Promise<T>): Promise<T> {
  const site = await Site.start(settings);
  return withLogs(site, settings.log, () => use(site));
}
