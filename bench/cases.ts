/** What is measured, and how: each case runs both sides in turns and gives one figure a side and repetition. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { miniLmDirectory } from '../test/golden/minilm.ts';
import { median } from './averages.ts';
import { bertBaseDirectory, emails, type Splits, sentences, writeSplits } from './inputs.ts';
import { type Command, measured, Responder } from './process.ts';
import { ourRun, peerRun, type RunFigures, type RunSettings, type Sampling } from './runs.ts';

export type Bench = {
  python: string;
  directory: string;
  threads: number;
  repeats: number;
  log: (line: string) => void;
};

/** One line of the results: `ours` and `peer` hold a value for each repetition. */
export type Measured = {
  case: string;
  unit: string;
  peerName: string;
  ours: number[];
  peer: number[];
  /** Of the repetitions, where the figure is a score that depends on them: it is told by its mean. */
  seeds?: number[];
};

const node = (script: string, args: readonly string[]): Command => ({
  command: process.execPath,
  args: [join(import.meta.dirname, 'ours', script), ...args],
});
const peerScript = (bench: Bench, script: string, args: readonly string[]): Command => ({
  command: bench.python,
  args: [join(import.meta.dirname, 'peers', script), ...args],
  env: { OMP_NUM_THREADS: String(bench.threads) },
});

const loopName = 'PyTorch loop, sdpa, fused AdamW';

/**
 * Seconds of training steps and the floating-point operations of one, if a side says them, in blocks by turns; the first
 * blocks warm up.
 */
async function stepsByTurns<Side extends string>(
  bench: Bench,
  commands: Readonly<Record<Side, Command>>,
): Promise<{ seconds: Record<Side, number[]>; gigaflops: number }> {
  const names = Object.keys(commands) as Side[];
  const seconds = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Side, number[]>;
  let gigaflops = 0;
  const sides = names.map((name) => ({ name, side: new Responder(commands[name]) }));
  for (const { side } of sides) await side.answer();
  for (let round = 0; round <= bench.repeats; round++) {
    for (const { name, side } of sides) {
      const answer = await side.ask<{ seconds: number[]; gigaflops?: number }>({ steps: 2 });
      gigaflops = answer.gigaflops ?? gigaflops;
      if (round > 0) seconds[name].push(...answer.seconds);
    }
    const last = names.map((name) => `${name} ${seconds[name].at(-1)?.toFixed(2) ?? 'warms up'}`);
    bench.log(`round ${round}: ${last.join(', ')}`);
  }
  for (const { side } of sides) await side.close();
  return { seconds, gigaflops };
}

/**
 * BERT-base at 8 x 128 with dropout. Beside PyTorch stand the step's own matrix products, which no engine on these
 * libraries can undercut, and both once more without AVX-512, which PyTorch's library does not use on every processor that
 * has it.
 */
async function bertBaseStep(bench: Bench): Promise<Measured[]> {
  const model = await bertBaseDirectory(bench.python);
  const threads = String(bench.threads);
  const avx2 = { ONEDNN_MAX_CPU_ISA: 'AVX2' };
  const step = [model, '8', '128', '30522', threads];
  const products = [model, '8', '128', threads];
  const { seconds, gigaflops } = await stepsByTurns(bench, {
    step: node('step.ts', step),
    peer: peerScript(bench, 'step.py', step),
    products: node('products.ts', products),
    stepAvx2: { ...node('step.ts', step), env: avx2 },
    productsAvx2: { ...node('products.ts', products), env: avx2 },
  });
  return (['', 'Avx2'] as const).flatMap((suffix) => {
    const name = `bert-base-8x128-step${suffix === '' ? '' : '-avx2'}`;
    const [ours, limit] = [seconds[`step${suffix}`], seconds[`products${suffix}`]];
    const rate = Math.round(gigaflops / median(limit));
    const share = Math.round((100 * median(limit)) / median(ours));
    bench.log(`${name}: matrix products alone reach ${rate} GFLOP/s and are ${share} % of the step`);
    const limitName = `the ${Math.round(gigaflops)} GFLOP of its matrix products alone`;
    return [
      { case: name, unit: 's/step', peerName: loopName, ours, peer: seconds.peer },
      { case: `${name}-limit`, unit: 's/step', peerName: limitName, ours, peer: limit },
    ];
  });
}

/** A step with products in bfloat16 beside PyTorch under autocast, and beside our own in float32. */
async function bf16Step(bench: Bench, name: string, model: string, rows: number): Promise<Measured[]> {
  const step = [model, String(rows), '128', '30522', String(bench.threads)];
  const { seconds } = await stepsByTurns(bench, {
    step: node('step.ts', [...step, 'bf16']),
    peer: peerScript(bench, 'step.py', [...step, 'bf16']),
    single: node('step.ts', step),
  });
  const line = (suffix: string, peerName: string, peer: number[]): Measured => {
    return { case: `${name}${suffix}`, unit: 's/step', peerName, ours: seconds.step, peer };
  };
  return [
    line('', `${loopName}, autocast to bfloat16`, seconds.peer),
    line('-gain', 'the same step of ours in float32', seconds.single),
  ];
}

type Pair = { ours: RunFigures[]; peer: RunFigures[] };

const seedOf = (round: number): number => 42 + round;

/** Whole runs by turns, each repetition with a seed of its own. */
async function runPairs(
  bench: Bench,
  name: string,
  settings: Omit<RunSettings, 'seed' | 'threads'>,
  sampling: Sampling,
): Promise<Pair> {
  const pair: Pair = { ours: [], peer: [] };
  for (let round = 0; round < bench.repeats; round++) {
    const run = { ...settings, seed: seedOf(round), threads: bench.threads };
    const at = (side: string) => join(bench.directory, `${name}-${side}-${round}`);
    pair.ours.push(await ourRun(run, at('ours')));
    pair.peer.push(await peerRun(bench.python, run, sampling, at('peer')));
    const [ours, peer] = [pair.ours.at(-1), pair.peer.at(-1)];
    bench.log(
      `${name} ${round + 1}: ${ours?.workSeconds.toFixed(1)} s, score ${ours?.score.toFixed(3)} against ${peer?.workSeconds.toFixed(1)} s, score ${peer?.score.toFixed(3)}`,
    );
  }
  return pair;
}

const trainerName = (sampling: Sampling) =>
  sampling === 'group_texts'
    ? 'Hugging Face Trainer, group_texts, sdpa, fused AdamW'
    : `Hugging Face Trainer, ${sampling} sampling, dynamic padding`;

async function epochs(
  bench: Bench,
  name: string,
  splits: Splits,
  maxLength: number,
  sampling: Sampling,
): Promise<Measured[]> {
  const task = sampling === 'group_texts' ? 'MaskedLM' : 'SequenceClassification';
  const data = join(bench.directory, `${name}-data`);
  await writeSplits(data, splits);
  const model = await miniLmDirectory();
  const settings = { task, model, data, maxLength, batchSize: 16, epochs: 1, learningRate: 1e-4 } as const;
  const { ours, peer } = await runPairs(bench, name, settings, sampling);
  const line = (suffix: string, unit: string, value: (figures: RunFigures) => number): Measured => ({
    case: `${name}${suffix}`,
    unit,
    peerName: trainerName(sampling),
    ours: ours.map(value),
    peer: peer.map(value),
  });
  const score =
    task === 'MaskedLM'
      ? line('-loss', 'loss of masked tokens, mean', ({ score }) => score)
      : line('-f1-error', '1 - macro F1, mean', ({ score }) => 1 - score);
  return [
    line('', 's', ({ workSeconds }) => workSeconds),
    { ...score, seeds: ours.map((_, round) => seedOf(round)) },
  ];
}

/** Time from the start of the process to the end of the first step, and peak memory over four steps, on BERT-base. */
async function startAndMemory(bench: Bench): Promise<Measured[]> {
  const data = join(bench.directory, 'start-data');
  const rows = await emails({ train: 32, test: 8 });
  await writeSplits(data, rows);
  const model = await bertBaseDirectory(bench.python);
  const task = 'SequenceClassification' as const;
  const settings = { task, model, data, maxLength: 128, batchSize: 8, epochs: 1, learningRate: 5e-5 };
  const { ours, peer } = await runPairs(bench, 'start', settings, 'group_by_length');
  const line = (name: string, unit: string, value: (figures: RunFigures) => number): Measured => ({
    case: name,
    unit,
    peerName: 'Hugging Face Trainer process',
    ours: ours.map(value),
    peer: peer.map(value),
  });
  return [
    line('startup-to-first-step', 's', ({ firstStepSeconds }) => firstStepSeconds),
    line('peak-rss-bert-base', 'MB', ({ peakRssBytes }) => peakRssBytes / 1e6),
  ];
}

async function tokenization(bench: Bench): Promise<Measured[]> {
  const model = await miniLmDirectory();
  const file = join(bench.directory, 'lines.txt');
  if (!existsSync(file)) {
    await mkdir(bench.directory, { recursive: true });
    const some = (await sentences({ train: 10_000, test: 0 })).train;
    const lines = Array.from({ length: 50_000 }, (_, i) => some[i % some.length]?.text.replaceAll('\n', ' '));
    await writeFile(file, lines.join('\n'));
  }
  const [ours, peer]: [number[], number[]] = [[], []];
  const secondsOf = async (command: Command) =>
    (JSON.parse((await measured(command)).stdout.trim()) as { seconds: number }).seconds;
  for (let round = 0; round < bench.repeats; round++) {
    ours.push(await secondsOf(node('tokenize.ts', [model, file, '128'])));
    peer.push(await secondsOf(peerScript(bench, 'tokenize_lines.py', [model, file, '128'])));
  }
  return [{ case: 'tokenize-seconds', unit: 's', peerName: 'Python tokenizers, encode_batch', ours, peer }];
}

/** By the name that `--case` takes. */
export const cases: Readonly<Record<string, (bench: Bench) => Promise<Measured[]>>> = {
  'bert-base-8x128-step': bertBaseStep,
  'bert-base-8x128-step-bf16': async (bench) =>
    bf16Step(bench, 'bert-base-8x128-step-bf16', await bertBaseDirectory(bench.python), 8),
  'minilm-16x128-step-bf16': async (bench) =>
    bf16Step(bench, 'minilm-16x128-step-bf16', await miniLmDirectory(), 16),
  'minilm-spam-epoch': async (bench) =>
    epochs(bench, 'minilm-spam-epoch', await emails({ train: 480, test: 200 }), 256, 'group_by_length'),
  'minilm-sentences-epoch': async (bench) =>
    epochs(
      bench,
      'minilm-sentences-epoch',
      await sentences({ train: 2400, test: 400 }),
      128,
      'group_by_length',
    ),
  'minilm-sentences-epoch-default': async (bench) =>
    epochs(
      bench,
      'minilm-sentences-epoch-default',
      await sentences({ train: 2400, test: 400 }),
      128,
      'random',
    ),
  // Whole e-mails in blocks of 128 tokens on both sides: the peer drops what fills no block, ours pads the last one.
  'minilm-mlm-epoch': async (bench) =>
    epochs(bench, 'minilm-mlm-epoch', await emails({ train: 60, test: 20 }), 128, 'group_texts'),
  'startup-to-first-step': startAndMemory,
  'tokenize-seconds': tokenization,
};
