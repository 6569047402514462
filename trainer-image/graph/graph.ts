/**
 * A TensorFlow graph under construction. Shapes are known while building: a dimension is a number, or a name such as
 * 'batch' whose value comes with the fed data. Equal names mean equal sizes, so broadcasting is checked here and not
 * at run time.
 */
import type { DType } from './dtype.ts';

export type ProductType = 'float32' | 'bfloat16';

export type Dim = number | string;
export type Shape = readonly Dim[];

export type Attr =
  | { type: DType }
  | { int: number }
  | { float: number }
  | { bool: boolean }
  | { string: string }
  | { shape: Shape }
  | { tensor: { dtype: DType; shape: readonly number[]; bytes: Uint8Array } };

export type Node = {
  readonly id: number;
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly controls: readonly Node[];
  readonly attrs: Readonly<Record<string, Attr>>;
  readonly outputs: readonly Tensor[];
};

export type Tensor = {
  readonly graph: Graph;
  readonly node: Node;
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;
};

/** Gradient of a gather: row i of `rows` belongs to row indices[i] of the table; the same row may come several times. */
export type RowGradient = { readonly rows: Tensor; readonly indices: Tensor; readonly table: Shape };
export type Gradient = Tensor | RowGradient;

/** Several nodes with one gradient written by hand; the search for gradients does not look inside. */
export type Composite = {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly gradient: (dOutput: Tensor, needs: readonly boolean[]) => readonly (Gradient | undefined)[];
};

export class Graph {
  /** What matrix products of float32 tensors are computed in, and give: products.ts. */
  readonly products: ProductType;
  readonly nodes: Node[] = [];
  readonly composites = new Map<Tensor, Composite>();
  readonly #names = new Map<string, number>();
  readonly #dimensions = new Map<string, Tensor>();
  readonly #constants = new Map<string, Tensor>();
  #scope = '';

  constructor({ products = 'float32' }: { products?: ProductType } = {}) {
    this.products = products;
  }

  /** Names given to nodes inside `build` start with `name/`; TensorFlow's errors show them. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}${name}/`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  add(
    op: string,
    inputs: readonly Tensor[],
    outputs: readonly { dtype: DType; shape: Shape }[],
    attrs: Record<string, Attr> = {},
    options: { name?: string; controls?: readonly Node[] } = {},
  ): Node {
    const tensors: Tensor[] = [];
    const node: Node = {
      id: this.nodes.length,
      name: this.#unique(`${this.#scope}${options.name ?? op}`),
      op,
      inputs,
      controls: options.controls ?? [],
      attrs,
      outputs: tensors,
    };
    for (const [index, { dtype, shape }] of outputs.entries()) {
      tensors.push({ graph: this, node, index, dtype, shape });
    }
    this.nodes.push(node);
    return node;
  }

  /** Says which int32 scalar holds the value of a named dimension; the first one stays. */
  defineDimension(name: string, value: () => Tensor): void {
    if (!this.#dimensions.has(name)) this.#dimensions.set(name, value());
  }

  /** The int32 scalar of a named dimension. Throws if no placeholder has it. */
  dimension(name: string): Tensor {
    const value = this.#dimensions.get(name);
    if (value === undefined) throw new Error(`No placeholder has the dimension '${name}'.`);
    return value;
  }

  /** The constant with this key, built when it is asked for the first time: most numbers are asked for very often. */
  constant(key: string, build: () => Tensor): Tensor {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const built = build();
    this.#constants.set(key, built);
    return built;
  }

  #unique(name: string): string {
    const count = this.#names.get(name) ?? 0;
    this.#names.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  }
}

/** Makes `output` differentiable through a hand-written gradient and returns it. */
export function composite(
  inputs: readonly Tensor[],
  output: Tensor,
  gradient: Composite['gradient'],
): Tensor {
  output.graph.composites.set(output, { inputs, output, gradient });
  return output;
}

export function isRowGradient(gradient: Gradient): gradient is RowGradient {
  return 'rows' in gradient;
}

/** Number of elements; throws on a named dimension. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) {
    if (typeof dim === 'string')
      throw new Error(`The size of [${shape.join(', ')}] is known only at run time.`);
    size *= dim;
  }
  return size;
}
