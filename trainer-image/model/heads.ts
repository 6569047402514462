/** Heads that the families share but for names and rates. */
import { reshape } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { linear } from '../graph/neural.ts';
import { type Activation, activations, dense, drop, norm } from './layers.ts';
import type { Head } from './model.ts';
import { denseParameters, fresh, normParameters } from './parameters.ts';

/** One linear layer, `classifier`, over the positions that have a label. */
export function tokenClassification(
  className: string,
  { hidden, labels, dropout }: { hidden: number; labels: number; dropout: number },
): Head {
  return {
    className,
    parameters: fresh(denseParameters('classifier', labels, hidden)),
    reads: 'positions',
    logits: (states, scope) => dense(drop(states, dropout, scope), 'classifier', scope),
  };
}

/** What a dense layer before the classifier looks like. */
export type Pooler = {
  readonly name: string;
  readonly classifier: string;
  readonly activation: (x: Tensor) => Tensor;
  readonly hidden: number;
  readonly labels: number;
  /** Dropout of the input of the dense layer, 0 where the family has none, and of its output. */
  readonly dropout: { readonly before: number; readonly after: number };
};

/** The first position of each example through a dense layer, an activation and the classifier. */
export function firstTokenClassification(className: string, pooler: Pooler): Head {
  const { name, classifier, activation, hidden, labels, dropout } = pooler;
  return {
    className,
    parameters: fresh([
      ...denseParameters(name, hidden, hidden),
      ...denseParameters(classifier, labels, hidden),
    ]),
    reads: 'first',
    logits(states, scope) {
      const first = reshape(states, ['examples', hidden]);
      const pooled = activation(dense(drop(first, dropout.before, scope), name, scope));
      return dense(drop(pooled, dropout.after, scope), classifier, scope);
    },
  };
}

export type MaskedLMHead = {
  /** Names of the dense layer and its LayerNorm. */
  readonly dense: string;
  readonly norm: string;
  /** The bias of the decoder, whole name. */
  readonly bias: string;
  /** The table of word embeddings, which is the decoder's weight too; whole name. */
  readonly words: string;
  readonly hidden: number;
  /** Width of the word embeddings, where it is another. */
  readonly embedding?: number;
  readonly vocabulary: number;
  readonly activation: Activation;
  readonly epsilon: number;
};

/** Dense layer, activation and LayerNorm, then the product with every word embedding. */
export function maskedLM(className: string, head: MaskedLMHead): Head {
  const { hidden, embedding = hidden } = head;
  return {
    className,
    parameters: fresh([
      ...denseParameters(head.dense, embedding, hidden),
      ...normParameters(head.norm, embedding),
      { name: head.bias, shape: [head.vocabulary] },
    ]),
    reads: 'positions',
    logits(rows, scope) {
      const inner = activations[head.activation](dense(rows, head.dense, scope));
      const normal = norm(inner, head.norm, head.epsilon, scope);
      return linear(normal, scope.weight(head.words), scope.weight(head.bias));
    },
  };
}
