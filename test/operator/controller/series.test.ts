import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { FineTuneJobStatus } from '../../../crds/status.schema.ts';
import type { Progress } from '../../../crds/trainer-contract.ts';
import { JobSeries } from '../../../operator/controller/series.ts';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { createMetrics, type Metrics, scrape } from '../../../operator/metrics.ts';

const job = (uid: string, runId = '1'): FineTuneJob =>
  ({
    metadata: { namespace: 'n', name: 'a"b', uid },
    spec: { runId, task: 'MaskedLM', runtimeRef: { name: 'default' } },
  }) as FineTuneJob;
const running = {
  phase: 'Training',
  usage: { gpuSeconds: 12, cost: '0.5' },
  progress: { step: 5, totalSteps: 20, trainLoss: '1.5', evalLoss: '2' },
} as unknown as FineTuneJobStatus;

describe('metrics of single jobs', () => {
  let metrics: Metrics;
  let series: JobSeries;
  beforeEach(() => {
    metrics = createMetrics('0.0.0');
    series = new JobSeries(metrics);
  });

  const lines = async (): Promise<string[]> => {
    let text = '';
    for await (const part of scrape(metrics)) text += part;
    return text.split('\n').filter((line) => line.startsWith('finetune_job_'));
  };

  it('tell what the status tells, and are the newer answer of the trainer where there is one', async () => {
    series.show('n/a"b', job('1'), running);
    series.live('n/a"b', { step: 6, totalSteps: 20, trainLoss: 1.25 } as Progress);
    series.live('n/stranger', { step: 1, totalSteps: 2 } as Progress);
    const labels = 'namespace="n",name="a\\"b"';
    assert.deepEqual((await lines()).toSorted(), [
      `finetune_job_cost{${labels}} 0.5`,
      `finetune_job_eval_loss{${labels}} 2`,
      `finetune_job_gpu_seconds{${labels}} 12`,
      `finetune_job_info{${labels},uid="1",task="MaskedLM",runtime="default"} 1`,
      `finetune_job_loss{${labels}} 1.25`,
      `finetune_job_phase{${labels},phase="Training"} 1`,
      `finetune_job_progress_ratio{${labels}} 0.3`,
      `finetune_job_step{${labels}} 6`,
    ]);
  });

  it('do not go back to an older answer in the status while the trainer is asked, and end with the status', async () => {
    const step = async () =>
      (await lines())
        .find((line) => line.startsWith('finetune_job_step'))
        ?.split(' ')
        .at(-1);
    series.show('n/a"b', job('1'), running, 'one');
    assert.equal(await step(), '5');
    series.live('n/a"b', { podUid: 'one', step: 9, totalSteps: 20 } as Progress);
    series.show('n/a"b', job('1'), running, 'one');
    assert.equal(await step(), '9');
    // The next trainer goes on from a checkpoint.
    series.show('n/a"b', job('1'), running, 'two');
    assert.equal(await step(), '5');
    series.show('n/a"b', job('1'), { ...running, progress: { ...running.progress!, step: 20 } });
    assert.equal(await step(), '20');
  });

  it('are all there, each once and with its help before it, when there are many', async () => {
    for (let i = 0; i < 1001; i++) series.show(`n/job-${i}`, job(`${i}`), running);
    let text = '';
    for await (const part of scrape(metrics)) text += part;
    const ofSteps = text.split('\n').filter((line) => /(^| )finetune_job_step\b/.test(line));
    assert.deepEqual(ofSteps.slice(0, 3), [
      '# HELP finetune_job_step Optimiser steps done.',
      '# TYPE finetune_job_step gauge',
      'finetune_job_step{namespace="n",name="job-0"} 5',
    ]);
    assert.equal(ofSteps.length, 2 + 1001);
    assert.equal(new Set(ofSteps).size, ofSteps.length);
    assert.doesNotMatch(text, /\n\n/);
  });

  it('of a job that was made anew under its name, or runs again, begin anew, and go with the job', async () => {
    for (const next of [job('2'), job('1', '2')]) {
      series.show('n/a"b', job('1'), running);
      series.show('n/a"b', next, { phase: 'Pending' } as FineTuneJobStatus);
      assert.deepEqual(
        (await lines()).map((line) => line.replace(/\{.*/, '')),
        ['finetune_job_info', 'finetune_job_phase'],
      );
    }
    series.remove('n/a"b');
    assert.deepEqual(await lines(), []);
  });
});
