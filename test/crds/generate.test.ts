import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { parse } from 'yaml';
import { customResourceDefinition, jobResource, resources } from '../../crds/crd.ts';
import { crdYaml, generate, generatedFiles } from '../../crds/generate.ts';

const root = join(import.meta.dirname, '../..');

suite('generate', () => {
  let copy: string;
  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'finetune-generate-'));
    generate(copy, false);
  });
  afterEach(() => rmSync(copy, { recursive: true }));

  test('the files in the repository are what would be generated', () => {
    assert.deepEqual(generate(root, true), []);
  });

  test('a check names each file that differs or is missing, and writes nothing', () => {
    const [first, second] = [...generatedFiles().keys()] as [string, string];
    writeFileSync(join(copy, first), 'edited by hand\n');
    rmSync(join(copy, second));
    assert.deepEqual(generate(copy, true), [first, second]);
    assert.equal(readFileSync(join(copy, first), 'utf8'), 'edited by hand\n');
  });

  test('a run repairs them', () => {
    const [first] = [...generatedFiles().keys()] as [string];
    writeFileSync(join(copy, first), 'edited by hand\n');
    assert.deepEqual(generate(copy, false), [first]);
    assert.deepEqual(generate(copy, true), []);
  });
});

test('the YAML says what the definition says', () => {
  for (const resource of resources)
    assert.deepEqual(
      parse(crdYaml(resource)),
      JSON.parse(JSON.stringify(customResourceDefinition(resource))),
    );
});

test('a column that leads nowhere is an error', () => {
  const column = { name: 'Loss', type: 'string', jsonPath: '.status.progress.los', description: '' } as const;
  assert.throws(
    () => customResourceDefinition({ ...jobResource, columns: [column] }),
    /FineTuneJob\.status\.progress\.los: column Loss wants a field of type string/,
  );
});
