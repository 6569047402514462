/** Reverse-mode differentiation: adds to the graph the nodes that compute d(loss)/d(target). */
import { segmentSum } from './array-ops.ts';
import { isFloating } from './dtype.ts';
import { type Composite, type Gradient, isRowGradient, type Node, type Tensor } from './graph.ts';
import { type GradientFunction, opGradients } from './op-gradients.ts';
import { addN, cast, scalar } from './ops.ts';

/**
 * Gradients of the scalar `loss` for each of `targets`, or of a tensor whose own gradient `dLoss` is known. Parts of the graph that lead to no target cost nothing.
 * A table that is only read by gather gets a RowGradient; a target that the loss does not depend on gets undefined.
 * Throws, naming the op, if an op on the way has no gradient.
 */
export function gradients(
  loss: Tensor,
  targets: readonly Tensor[],
  dLoss: Tensor = scalar(loss.graph, loss.dtype, 1),
): (Gradient | undefined)[] {
  const { graph } = loss;
  const active = dependents(loss, targets);
  const parts = new Map<Tensor, Gradient[]>([[loss, [dLoss]]]);
  const steps = backwardSteps(loss, active);
  for (const step of steps) {
    const dOutputs = step.outputs.map((output) => totalGradient(output, parts.get(output)));
    if (dOutputs.every((gradient) => gradient === undefined)) continue;
    const needs = step.inputs.map((input) => active.has(input));
    const dInputs = graph.scope(`gradient/${step.label}`, () => step.gradient(dOutputs, needs));
    for (const [index, input] of step.inputs.entries()) {
      const dInput = dInputs[index];
      if (!needs[index] || dInput === undefined) continue;
      const list = parts.get(input);
      if (list === undefined) parts.set(input, [dInput]);
      else list.push(dInput);
    }
  }
  return targets.map((target) => {
    const [first, ...more] = parts.get(target) ?? [];
    const rowsAlone = first !== undefined && isRowGradient(first) && more.length === 0;
    return rowsAlone ? first : totalGradient(target, parts.get(target));
  });
}

/** A RowGradient as a full tensor. */
export function dense(gradient: Gradient): Tensor;
export function dense(gradient: Gradient | undefined): Tensor | undefined;
export function dense(gradient: Gradient | undefined): Tensor | undefined {
  if (gradient === undefined || !isRowGradient(gradient)) return gradient;
  return segmentSum(gradient.rows, gradient.indices, gradient.table[0] ?? 1);
}

type Step = {
  label: string;
  order: number;
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
  gradient: (
    dOutputs: readonly (Tensor | undefined)[],
    needs: readonly boolean[],
  ) => readonly (Gradient | undefined)[];
};

/** Tensors that depend on a target, the targets included. Nodes are stored in the order of their creation. */
function dependents(loss: Tensor, targets: readonly Tensor[]): Set<Tensor> {
  const active = new Set<Tensor>(targets);
  for (const node of loss.graph.nodes) {
    if (node.id > loss.node.id) break;
    if (!node.inputs.some((input) => active.has(input))) continue;
    // Gradients flow through real numbers alone: not through masks, indices and comparisons.
    for (const output of node.outputs) if (isFloating(output.dtype)) active.add(output);
  }
  return active;
}

/** The ops and composites between loss and targets, last first. */
function backwardSteps(loss: Tensor, active: ReadonlySet<Tensor>): Step[] {
  const steps = new Map<Node | Composite, Step>();
  const pending = [loss];
  while (pending.length > 0) {
    const tensor = pending.pop() as Tensor;
    if (!active.has(tensor)) continue;
    const inside = loss.graph.composites.get(tensor);
    const key = inside ?? tensor.node;
    if (steps.has(key)) continue;
    if (!key.inputs.some((input) => active.has(input))) continue; // a target itself
    const step = inside === undefined ? opStep(tensor.node) : compositeStep(inside);
    steps.set(key, step);
    pending.push(...step.inputs);
  }
  return [...steps.values()].sort((a, b) => b.order - a.order);
}

function opStep(node: Node): Step {
  const gradient: GradientFunction | undefined = opGradients[node.op];
  if (gradient === undefined) {
    throw new Error(`The op ${node.op} of node '${node.name}' has no gradient: add one to op-gradients.ts.`);
  }
  return {
    label: node.name,
    order: node.id,
    inputs: node.inputs,
    outputs: node.outputs,
    gradient: (dOutputs, needs) => gradient(node, dOutputs, needs),
  };
}

function compositeStep({ inputs, output, gradient }: Composite): Step {
  return {
    label: output.node.name,
    order: output.node.id,
    inputs,
    outputs: [output],
    gradient: ([dOutput], needs) => gradient(dOutput as Tensor, needs),
  };
}

/** The gradient of a tensor has its type, whatever the parts have. */
function totalGradient({ dtype }: Tensor, parts: readonly Gradient[] = []): Tensor | undefined {
  return parts.length === 0 ? undefined : cast(addN(parts.map((part) => dense(part))), dtype);
}
