import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { tensorflowDirectory } from '../../../trainer-image/tensorflow/directory.ts';

type Binding = {
  TF_Version: string;
  TF_FLOAT: number;
  TF_ATTR_TYPE: number;
  isUsingGpuDevice(): boolean;
  createTensor(shape: number[], dtype: number, values: Float32Array): number;
  executeOp(name: string, attributes: unknown[], inputs: number[], outputs: number): { id: number }[];
  tensorDataSync(id: number): Float32Array;
};

test('the binding loads from the built directory and multiplies matrices with TensorFlow 2.21', async () => {
  const file = join(await tensorflowDirectory(), 'tfjs_binding.node');
  const binding = createRequire(import.meta.url)(file) as Binding;
  assert.equal(binding.TF_Version, '2.21.0');
  assert.equal(binding.isUsingGpuDevice(), false);
  const matrix = binding.createTensor([2, 2], binding.TF_FLOAT, new Float32Array([1, 2, 3, 4]));
  const dtype = { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
  const [product] = binding.executeOp('MatMul', [dtype], [matrix, matrix], 1);
  assert.ok(product);
  assert.deepEqual([...binding.tensorDataSync(product.id)], [7, 10, 15, 22]);
});

test('the binding takes its libraries from the directory beside it', async () => {
  const directory = await tensorflowDirectory();
  const { stdout } = await promisify(execFile)('ldd', [join(directory, 'tfjs_binding.node')]);
  for (const library of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
    const line = stdout.split('\n').find((text) => text.includes(library));
    assert.match(line ?? '', new RegExp(`=> ${join(directory, 'lib')}/`));
  }
});

test('a second call finds the directory without building it again', async () => {
  const lines: string[] = [];
  await tensorflowDirectory();
  await tensorflowDirectory((line) => lines.push(line));
  assert.deepEqual(lines, []);
});
