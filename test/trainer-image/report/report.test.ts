import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { niceTicks } from '../../../trainer-image/report/axis.ts';
import { movingMean } from '../../../trainer-image/report/curves.ts';
import { crc32c, eventFile, maskedCrc32c } from '../../../trainer-image/report/events.ts';
import { modelCard } from '../../../trainer-image/report/model-card.ts';
import { overfittingNote } from '../../../trainer-image/report/overfitting.ts';
import { reportPage } from '../../../trainer-image/report/page.ts';
import { verdictSentence } from '../../../trainer-image/report/report.ts';
import { exampleReport } from './example.ts';

const hostile = '</td><script>alert("x")</script><img src=x onerror=alert(1)>\u202e&\u0000';

test('hostile labels, texts, warnings and names are shown, never read as markup', () => {
  const base = exampleReport();
  const report = exampleReport({
    labels: [hostile, 'spam'],
    worstErrors: [{ line: 1, label: hostile, predicted: 'spam', severity: 1, excerpt: hostile }],
    data: { ...base.data, warnings: [hostile] },
    model: { ...base.model, uri: hostile, newlyInitialized: [hostile] },
    slices: base.slices.map((one) => ({
      ...one,
      column: hostile,
      worst: { ...one.worst!, slice: hostile },
      slices: one.slices.map((slice) => ({ ...slice, slice: hostile })),
    })),
    device: hostile,
    deviceWarning: hostile,
    verdict: { outcome: 'Rejected', sentence: hostile, reasons: [hostile] },
  });
  const page = reportPage(report);
  for (const [what, count] of Object.entries({ '<script': 0, '<img': 0, '\u202e': 0, '\u0000': 0 })) {
    assert.equal(page.split(what).length - 1, count, what);
  }
  assert.ok(page.includes('&lt;script&gt;alert(&quot;x&quot;)'));
  assert.ok(!/\son\w+=/i.test(page.replaceAll(/&lt;.*?&gt;/g, '')));
});

test('the page needs neither network nor scripts, and can be read without seeing it', () => {
  const page = reportPage(exampleReport());
  assert.doesNotMatch(page, /https?:\/\/|url\(|@import|<link|<script|<iframe/);
  assert.match(page, /prefers-color-scheme: dark/);
  for (const svg of page.match(/<svg[\s\S]*?<\/svg>/g) ?? []) {
    assert.match(svg, /<title id="[^"]+">[^<]+<\/title><desc id="[^"]+">[^<]+<\/desc>/);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  }
  const tables = page.match(/<table[\s\S]*?<\/table>/g) ?? [];
  assert.ok(tables.length >= 8);
  for (const table of tables) assert.match(table, /<caption>[^<]+<\/caption>/);
});

test('the verdict comes first and tells gain and interval', () => {
  const report = exampleReport();
  const page = reportPage(report);
  assert.match(
    report.verdict.sentence,
    /^Better than the base model: accuracy 0\.980 against 0\.500, gain 0\.480 \[0\.\d+, 0\.\d+\]$/,
  );
  assert.ok(page.indexOf(report.verdict.sentence) < page.indexOf('<svg'));
});

test('a gain whose interval holds zero is not called better, and a missing baseline is told', () => {
  const { final, baseline } = exampleReport();
  const kind = 'SingleLabelClassification';
  const gain = { metric: 'accuracy', value: 0.01, low: -0.01, high: 0.02 } as const;
  assert.match(verdictSentence({ final, baseline: baseline!, gain }, kind), /^Not clearly different from/);
  assert.match(
    verdictSentence({ final, baseline: baseline!, gain: { ...gain, high: -0.001, low: -0.02 } }, kind),
    /^Worse/,
  );
  assert.match(verdictSentence({ final }, kind), /the base model was not evaluated$/);
});

test('many classes give a list of confusions instead of a matrix', () => {
  const labels = Array.from({ length: 30 }, (_, i) => `class ${i}`);
  const page = reportPage(exampleReport({ labels }));
  assert.match(page, /most frequent confusions/);
  assert.doesNotMatch(page, /class="matrix"/);
});

test('a run without validation and with one step makes a page', () => {
  const { training, ...rest } = exampleReport();
  const { best: _, ...withoutBest } = training;
  const { overfitting: __, ...report } = {
    ...rest,
    training: withoutBest,
    stepLosses: [0.7],
    learningRates: [0],
    validation: [],
  };
  const page = reportPage(report);
  assert.match(page, /There is no validation split/);
  assert.doesNotMatch(page, /NaN|undefined/);
});

test('the overfitting note tells a rise after the best step from steady training', () => {
  const overfitting = { trainLoss: 0.1, lowestStep: 1, bestStep: 1, stoppedEarly: false };
  const note = (lowestEvalLoss: number, evalLoss: number, more = {}) =>
    overfittingNote({ overfitting: { ...overfitting, lowestEvalLoss, evalLoss, ...more } });
  assert.match(note(0.5, 0.8), /lowest at step 1 and rose by 60 %/);
  assert.match(note(0.5, 0.8, { stoppedEarly: true }), /stopped early\. The weights of step 1 are kept\.$/);
  assert.match(note(0.09, 0.09), /No sign of overfitting/);
  assert.match(note(0.4, 0.4), /The gap is large/);
  assert.match(note(0.02, 0.02, { trainLoss: 0.001 }), /No sign of overfitting/);
});

test('ticks are round and cover the range', () => {
  assert.deepEqual(niceTicks(0, 0.73, 5), [0, 0.2, 0.4, 0.6, 0.8]);
  assert.deepEqual(niceTicks(0, 240, 8), [0, 50, 100, 150, 200, 250]);
  assert.deepEqual(niceTicks(2, 2, 5), [2, 2.5]);
  assert.deepEqual(movingMean([1, 2, 3, 4], 2), [1, 1.5, 2.5, 3.5]);
});

test('slices are shown the worst first, small ones last and marked, with a note on the gap', () => {
  const report = exampleReport();
  const page = reportPage(report);
  const table = /<table class="slices">[\s\S]*?<\/table>/.exec(page)?.[0] ?? '';
  const names = [...table.matchAll(/<th scope="row">([^<]+)<\/th>/g)].map(([, name]) => name);
  assert.deepEqual(names, ['de', 'en', 'is (few rows)']);
  assert.match(page, /The worst slice is de with accuracy 0\.\d+; the gap to the best one is 0\.\d+/);
  assert.match(page, /1 slice has fewer than 30 rows and is not compared/);
  assert.match(modelCard(report), /^- By language: The worst slice is de/m);
  const grown = report.slices.map((scores) => ({ ...scores, growth: { value: 0.1, low: 0.05, high: 0.2 } }));
  assert.match(
    reportPage(exampleReport({ slices: grown })),
    /<p class="note warn">The worst slice is de[^<]*fine-tuning helped some slices more than others/,
  );
});

test('overfitting is marked as a warning, steady training is not', () => {
  const { overfitting } = exampleReport();
  assert.match(reportPage(exampleReport()), /<p class="note warn">The validation loss was lowest/);
  const steady = { ...overfitting!, evalLoss: 0.11 };
  assert.match(reportPage(exampleReport({ overfitting: steady })), /<p class="note">At the end/);
});

test('the model card has front matter that YAML reads, with the figures of the run', () => {
  const card = modelCard(exampleReport({ labels: [hostile, 'spam'] }));
  const [, front] = card.split('---\n');
  const meta = parse(front!) as { 'model-index': { results: { metrics: { value: number }[] }[] }[] };
  assert.equal(meta['model-index'][0]?.results[0]?.metrics[0]?.value, 0.98);
  assert.doesNotMatch(card, /<script/);
});

test('CRC-32C and its mask are those of the published vectors', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(maskedCrc32c(Buffer.from('123456789')), 0xc78ab0e5);
});

test('an event file reads back as records with right checksums', () => {
  const file = Buffer.from(eventFile([{ tag: 'loss', step: 300, value: 0.5, time: 1_700_000_000_500 }]));
  const records: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    assert.equal(file.readUInt32LE(at + 8), maskedCrc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    assert.equal(file.readUInt32LE(at + 12 + length), maskedCrc32c(data));
    records.push(data);
    at += 16 + length;
  }
  assert.equal(records.length, 2);
  assert.match(records[0]!.toString('latin1'), /brain\.Event:2$/);
  assert.equal(records[1]!.readDoubleLE(1), 1_700_000_000.5);
  assert.equal(records[1]!.subarray(9, 12).toString('hex'), '10ac02');
  assert.equal(records[1]!.subarray(12).toString('hex'), '2a0d0a0b0a046c6f7373150000003f');
});
