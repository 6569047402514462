/** What readArchitecture makes of config.json: properties, weights that may be missing, refused settings. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { taskNames } from '../../../crds/tasks.ts';
import { type Dim, Graph, type Tensor } from '../../../trainer-image/graph/graph.ts';
import { placeholder } from '../../../trainer-image/graph/ops.ts';
import { type Architecture, readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../../trainer-image/model/checkpoint-files.ts';
import { logBucket } from '../../../trainer-image/model/disentangled-attention.ts';
import type { Task } from '../../../trainer-image/model/model.ts';
import { mapWeights } from '../../../trainer-image/model/weights.ts';
import { editConfig, goldenDirectory } from './fixtures.ts';

const folder = join(goldenDirectory, 'architectures');
const families = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const scratch = mkdtempSync(join(tmpdir(), 'architecture-'));
after(() => rmSync(scratch, { recursive: true }));

/** The architecture of a family's golden config with some fields changed. */
function architectureOf(family: string, changes: Record<string, unknown> = {}, task: Task = 'MaskedLM') {
  const directory = mkdtempSync(join(scratch, 'model-'));
  cpSync(join(folder, family, 'config.json'), join(directory, 'config.json'));
  editConfig(directory, changes);
  return readArchitecture(directory, { task, labels: 3 }).architecture;
}

for (const { name: family } of families) {
  test(`${family}: the bare model, with and without its prefix, opens for each task with a new head`, () => {
    const files = openWeightFiles(join(folder, family));
    for (const task of taskNames) {
      const { parameters, prefix } = architectureOf(family, {}, task);
      const head = parameters.filter(({ initial }) => initial !== undefined).map(({ name }) => name);
      assert.ok(head.length > 0);
      const encoder = [...files.entries].filter(([name]) => name.startsWith(prefix) && !head.includes(name));
      const bare = encoder.map(([name, entry]) => [name.slice(prefix.length), entry] as const);
      for (const entries of [new Map(encoder), new Map(bare)]) {
        const { newlyInitialized } = mapWeights(entries, parameters, prefix);
        assert.deepEqual(newlyInitialized, head, task);
      }
    }
    files.close();
  });
}

for (const { name: family } of families) {
  test(`${family}: the last layer computes only the positions that the head reads`, () => {
    const first = family === 'modernbert-mean' ? 'batch*length' : 'batch';
    assert.deepEqual(feedForwardRows(architectureOf(family, {}, 'SequenceClassification')), first);
    assert.deepEqual(feedForwardRows(architectureOf(family, {}, 'TokenClassification')), 'positions');
    assert.deepEqual(feedForwardRows(architectureOf(family, {}, 'MaskedLM')), 'positions');
  });
}

/** How many rows go through the feed-forward part of the last layer. */
function feedForwardRows({ logits, parameters, sizes }: Architecture): Dim | undefined {
  const graph = new Graph();
  const ids = (name: string) => placeholder(graph, name, 'int32', ['batch', 'length']);
  const positions = placeholder(graph, 'p', 'int32', ['positions']);
  const weights = new Map(
    parameters.map(({ name, shape }, i) => [name, placeholder(graph, `w${i}`, 'float32', shape)]),
  );
  const inputs = { inputIds: ids('i'), attentionMask: ids('m'), tokenTypeIds: ids('t'), positions };
  logits(inputs, (name) => weights.get(name) as Tensor);
  const widths = graph.nodes
    .filter(({ name, op }) => op === 'MatMul' && name.startsWith(`layer${sizes.layers - 1}/`))
    .map(({ outputs }) => outputs[0]?.shape);
  return widths.findLast((shape) => shape?.[1] === sizes.intermediate)?.[0];
}

test('positions, vocabulary, token types and padding follow from config.json', () => {
  const facts = (family: string, changes: Record<string, unknown> = {}) => {
    const found = architectureOf(family, changes);
    return [found.maxLength, found.vocabularySize, found.typeVocabularySize, found.padTokenId];
  };
  assert.deepEqual(facts('bert'), [40, 90, 2, 0]);
  // Positions are counted from the padding token's id + 1.
  assert.deepEqual(facts('roberta'), [38, 90, 1, 1]);
  assert.deepEqual(facts('xlm-roberta', { max_position_embeddings: 514 }), [512, 90, 1, 1]);
  assert.deepEqual(facts('distilbert'), [40, 90, 0, 0]);
  assert.deepEqual(facts('electra'), [40, 90, 2, 0]);
  assert.deepEqual(facts('modernbert'), [40, 90, 0, 0]);
  assert.deepEqual(facts('deberta-v2'), [40, 90, 0, 0]);
});

const undefinedSizes = {
  vocab_size: undefined,
  pad_token_id: undefined,
  max_position_embeddings: undefined,
};
for (const [family, want] of Object.entries({
  bert: [30_522, 512, 0],
  roberta: [50_265, 510, 1],
  'xlm-roberta': [30_522, 510, 1],
  distilbert: [30_522, 512, 0],
  electra: [30_522, 512, 0],
  modernbert: [50_368, 8192, 50_283],
  'deberta-v2': [128_100, 512, 0],
})) {
  test(`${family}: fields that config.json lacks have the defaults of transformers`, () => {
    const { vocabularySize, maxLength, padTokenId } = architectureOf(family, undefinedSizes);
    assert.deepEqual([vocabularySize, maxLength, padTokenId], want);
  });
}

const refused: Record<string, { family: string; changes: Record<string, unknown>; want: RegExp }> = {
  'an activation': {
    family: 'roberta',
    changes: { hidden_act: 'gelu_new' },
    want: /hidden_act: .*"gelu"\|"relu"/,
  },
  'an activation of DistilBERT': {
    family: 'distilbert',
    changes: { activation: 'silu' },
    want: /activation: .*"gelu"\|"relu"/,
  },
  'a decoder': { family: 'electra', changes: { is_decoder: true }, want: /is_decoder: .*false/ },
  'heads that do not divide the width': {
    family: 'distilbert',
    changes: { n_heads: 5 },
    want: /n_heads: dim 32 is not a multiple of n_heads 5/,
  },
  'biases in ModernBERT': {
    family: 'modernbert',
    changes: { attention_bias: true },
    want: /attention_bias: .*false/,
  },
  'scaled rotation': {
    family: 'modernbert',
    changes: { rope_parameters: { full_attention: { rope_type: 'yarn', rope_theta: 1e4, factor: 4 } } },
    want: /rope_parameters\.full_attention\.rope_type: .*"default"/,
  },
  'an unknown type of layer': {
    family: 'modernbert',
    changes: { layer_types: ['full_attention', 'chunked_attention', 'full_attention'] },
    want: /layer_types\.1: .*"full_attention"\|"sliding_attention"/,
  },
  'too few types of layers': {
    family: 'modernbert',
    changes: { layer_types: ['full_attention'] },
    want: /layer_types: 1 types for num_hidden_layers 3/,
  },
  'convolution in DeBERTa': {
    family: 'deberta-v2',
    changes: { conv_kernel_size: 3 },
    want: /conv_kernel_size: .*0/,
  },
  'half of disentangled attention': {
    family: 'deberta-v2',
    changes: { pos_att_type: ['p2c'] },
    want: /pos_att_type: only "p2c\|c2p" is supported/,
  },
  'the head that transformers cannot load': {
    family: 'deberta-v2',
    changes: { legacy: false },
    want: /legacy: .*true/,
  },
  'no relative attention': {
    family: 'deberta-v2',
    changes: { relative_attention: undefined },
    want: /relative_attention: .*true/,
  },
  'no padding token where positions depend on it': {
    family: 'roberta',
    changes: { pad_token_id: null },
    want: /pad_token_id: /,
  },
  'a padding token behind which no position is left': {
    family: 'xlm-roberta',
    changes: { pad_token_id: 39 },
    want: /pad_token_id: no position is left/,
  },
  'layers without end': {
    family: 'bert',
    changes: { num_hidden_layers: 1_000_000 },
    want: /num_hidden_layers: .*1000/,
  },
  'a masked language model with an output table of its own': {
    family: 'bert',
    changes: { tie_word_embeddings: false },
    want: /tie_word_embeddings is false: for MaskedLM only true/,
  },
  'quantised weights': {
    family: 'modernbert',
    changes: { quantization_config: { quant_method: 'bitsandbytes' } },
    want: /quantization_config: quantised models cannot be trained/,
  },
};
for (const [name, { family, changes, want }] of Object.entries(refused)) {
  test(`${family} with ${name} is refused by the name of the field`, () => {
    assert.throws(() => architectureOf(family, changes), {
      category: 'ModelError',
      message: want,
      hint: /without these settings/,
    });
  });
}

test('the buckets of the distances of DeBERTa-v3 are those of transformers', () => {
  const want: number[] = JSON.parse(readFileSync(join(folder, 'deberta-buckets.json'), 'utf8'));
  assert.deepEqual(
    want.map((_, index) => logBucket(index - 511, 256, 512)),
    want,
  );
});

test('a type that is not supported is answered with the list of those that are', () => {
  assert.throws(() => architectureOf('bert', { model_type: 'gpt2' }), {
    message: 'The model type "gpt2" is not supported.',
    hint: /types: bert, roberta, xlm-roberta, distilbert, electra, modernbert, deberta-v2/,
  });
});
