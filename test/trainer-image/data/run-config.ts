import { type RunConfig, runConfig } from '../../../crds/trainer-contract.ts';

/** A complete run config over three folders; `change` edits it. */
export function runConfigOf(
  folders: { model: string; dataset: string; output: string },
  change: (config: RunConfig) => void = () => {},
): RunConfig {
  const volume = (name: string, directory: string) => ({
    kind: 'volume' as const,
    uri: `pvc://claim/${name}`,
    directory,
  });
  const config: RunConfig = {
    contractVersion: 1,
    job: { namespace: 'team-a', name: 'spam', uid: 'uid-1', runId: '1', startTime: '2026-01-01T00:00:00Z' },
    task: 'SequenceClassification',
    model: volume('model', folders.model),
    dataset: {
      source: volume('data', folders.dataset),
      format: 'JSONL',
      columns: { text: 'text', label: 'label' },
      splits: { train: 'train.jsonl', test: 'test.jsonl' },
      fractions: {},
    },
    training: {
      epochs: 2,
      batchSize: 4,
      gradientAccumulationSteps: 1,
      gradientCheckpointing: false,
      bf16: false,
      learningRate: 5e-5,
      schedule: { name: 'Linear' },
      warmup: 0.06,
      optimizer: { name: 'AdamW' },
      weightDecay: 0.01,
      maxGradNorm: 1,
      labelSmoothing: 0,
      maxLength: 16,
      trainSamplingStrategy: 'GroupByLength',
      packing: 'None',
      seed: 42,
    },
    evaluation: { baseline: true },
    output: volume('output', folders.output),
    checkpoints: { everySteps: 100, keep: 2 },
    workBytes: 64 * 2 ** 30,
    accelerator: { resourceName: 'nvidia.com/gpu', count: 0, whenUnusable: 'UseCPU' },
  };
  change(config);
  return runConfig.parse(config);
}
