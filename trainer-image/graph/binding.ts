import { constants } from 'node:os';
import { join } from 'node:path';

/** A tensor that lives in native memory until `deleteTensor` is called with its id. */
export type NativeTensor = { id: number; shape: number[]; dtype: number };

/** The part of tfjs-node's native addon that the trainer uses. */
export interface Binding {
  createTensor(shape: readonly number[], dtype: number, data: ArrayBufferView): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array | BigInt64Array;
  loadSavedModel(directory: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputIds: number[], inputNames: string, outputNames: string): NativeTensor[];
  getNumOfTensors(): number;
  getNumOfSavedModels(): number;
  isUsingGpuDevice(): boolean;
  TF_Version: string;
}

/** glibc's flag, which Node.js has no name for. */
const RTLD_NODELETE = 0x1000;

/**
 * Loads the addon from `directory` (tfjs_binding.node beside lib/ with TensorFlow's libraries), for good: Node.js
 * unloads an addon when its worker thread ends, but TensorFlow's own threads live on, and without the flag the process
 * would die of a segmentation fault in place of its exit code. Functions are looked up when they are called: there are a
 * hundred thousand, and to look up all of them takes longer than to load a model.
 * The caller sets TensorFlow's environment (threads, log level, memory growth) before the first call: it is read once.
 */
export function openBinding(directory: string): Binding {
  const addon: { exports: unknown } = { exports: {} };
  process.dlopen(addon, join(directory, 'tfjs_binding.node'), constants.dlopen.RTLD_LAZY | RTLD_NODELETE);
  return addon.exports as Binding;
}

/** TensorFlow's version and whether it found a GPU that it can use. */
export function deviceOf(binding: Binding): { version: string; gpu: boolean } {
  return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice() };
}
