import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codePaths, treePaths } from './document-paths.ts';

const fence = '```';

test('a tree with indentation', () => {
  const tree = [
    fence,
    'operator/            the control loop',
    '  main.ts            puts the parts together',
    '                     and nothing else',
    '  decide/            PURE',
    '    reconcile.ts     the page to read first',
    'Dockerfile           both images',
    '.ci/run',
    'LICENSE',
    fence,
  ].join('\n');
  assert.deepEqual(treePaths(tree), [
    'operator/',
    'operator/main.ts',
    'operator/decide/',
    'operator/decide/reconcile.ts',
    'Dockerfile',
    '.ci/run',
    'LICENSE',
  ]);
});

test('a tree with lines', () => {
  const tree = [`${fence}text`, 'crds/', '├── generate.ts  writes', '└── inner/', '    └── a.ts', fence].join(
    '\n',
  );
  assert.deepEqual(treePaths(tree), ['crds/', 'crds/generate.ts', 'crds/inner/', 'crds/inner/a.ts']);
});

test('other blocks are not trees', () => {
  assert.deepEqual(
    treePaths(`${fence}sh\nnpm test\n${fence}\n${fence}\nqueue -> sync.ts -> decide/\n${fence}`),
    [],
  );
});

test('paths in running text', () => {
  const text = `See \`crds/generate.ts\` and \`docs/adr/\`, not \`npm test\`, \`test/**\` or \`a/b.ts\`.`;
  assert.deepEqual(codePaths(text), ['crds/generate.ts', 'docs/adr/']);
});
