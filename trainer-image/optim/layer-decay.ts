/**
 * Layer-wise decay of the learning rate: the head learns at the full rate, each layer below it at `decay` times the rate
 * of the one above, the embeddings slowest (as in BEiT and MAE).
 */

/** The number of the layer in a name such as bert.encoder.layer.3.output.dense.weight. */
const layerNumber = /(?:^|\.)layers?\.(\d+)\./;

/** Part of the learning rate for each of the weights of a model. */
export function learningRateScales(names: readonly string[], decay: number): number[] {
  const layers = Math.max(0, ...names.map((name) => 1 + Number(layerNumber.exec(name)?.[1] ?? -1)));
  return names.map((name) => {
    const layer = layerNumber.exec(name)?.[1];
    if (layer !== undefined) return decay ** (layers - Number(layer));
    return /embedding/.test(name) ? decay ** (layers + 1) : 1;
  });
}
