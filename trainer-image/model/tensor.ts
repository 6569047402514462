/** A weight or an optimiser moment by its name. `data` may be read from the device or the disk when it is asked for. */
export type NamedTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
};
