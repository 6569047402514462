/** The sum of word, token type and position embeddings, with the names that BERT gave the tables. */
import { gather, slice } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { add } from '../graph/ops.ts';
import type { BertFields } from './config-fields.ts';
import type { Scope } from './layers.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';

export type EmbeddingTables = {
  /** What the names of the tables begin with, such as 'bert.embeddings.'. */
  readonly prefix: string;
  readonly width: number;
  /** Rows of each table; a table of 0 rows does not exist. */
  readonly words: number;
  readonly types: number;
  readonly positions: number;
};

/** The tables of a config in BERT's words. `width` is that of the embeddings, where layers are wider. */
export function bertTables(config: BertFields, prefix: string, width = config.hidden_size): EmbeddingTables {
  return {
    prefix,
    width,
    words: config.vocab_size,
    types: config.type_vocab_size,
    positions: config.max_position_embeddings,
  };
}

export function embeddingParameters(tables: EmbeddingTables): ParameterSpec[] {
  const { prefix, width, words, types, positions } = tables;
  const rows = { word: words, position: positions, token_type: types };
  return Object.entries(rows)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => ({ name: `${prefix}${kind}_embeddings.weight`, shape: [count, width] }));
}

/**
 * [batch, length, width]. Positions count from 0 in each example unless `positionIds` (int32 [batch, length]) say
 * otherwise. A single row of token types belongs to all tokens, whatever the tokenizer says.
 */
export function embeddings(
  inputs: EncoderInputs,
  tables: EmbeddingTables,
  scope: Scope,
  positionIds = inputs.packed?.positionIds,
): Tensor {
  const table = (kind: string): Tensor => scope.weight(`${tables.prefix}${kind}_embeddings.weight`);
  let sum = gather(table('word'), inputs.inputIds);
  if (tables.types === 1) sum = add(sum, table('token_type'));
  if (tables.types > 1) sum = add(sum, gather(table('token_type'), inputs.tokenTypeIds));
  if (tables.positions === 0) return sum;
  const positions = table('position');
  return add(
    sum,
    positionIds ? gather(positions, positionIds) : slice(positions, [0, 0], ['length', tables.width]),
  );
}
