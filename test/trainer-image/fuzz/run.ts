/**
 * npm run fuzz: many random cases for everything of the trainer that reads what others wrote: safetensors, all data
 * readers, the run config. Writes bench/results/fuzz.json.
 * Options: --cases N (100,000 for each test), --seed S (1).
 */
import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
// The files of the tests are processes of their own, which take this over.
process.env['FUZZ_CASES'] = values.cases;
process.env['FUZZ_SEED'] = values.seed;

type Line = { file: string; test: string; passed: boolean; seconds: number };
const lines: Line[] = [];
const files = globSync('*.test.ts', { cwd: import.meta.dirname }).toSorted();
for (const file of files) {
  const events = run({ files: [join(import.meta.dirname, file)], concurrency: 1 });
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || basename(data.name) === file) continue;
    const line = {
      file: basename(file, '.test.ts'),
      test: data.name,
      passed: type === 'test:pass',
      seconds: Number((data.details.duration_ms / 1000).toFixed(1)),
    };
    lines.push(line);
    console.log(`${line.passed ? '✔' : '✖'} ${line.test}: ${line.seconds} s`);
    if (type === 'test:fail') console.log(data.details.error.cause);
  }
}
const results = join(import.meta.dirname, '../../../bench/results');
await mkdir(results, { recursive: true });
const report = {
  measuredAt: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} x ${cpus()[0]?.model}`,
  cases: Number(values.cases),
  seed: Number(values.seed),
  tests: lines,
};
await writeFile(join(results, 'fuzz.json'), `${JSON.stringify(report, null, 2)}\n`);
const failed = lines.filter(({ passed }) => !passed).length;
console.log(`${lines.length} tests, ${failed} failed; bench/results/fuzz.json`);
process.exitCode = failed === 0 && lines.length > 0 ? 0 : 1;
