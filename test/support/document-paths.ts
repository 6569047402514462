/** Paths of the repository that a Markdown document names. */

const block = /^```[^\n]*\n([\s\S]*?)^```/gm;

/**
 * Paths in annotated trees: fenced blocks whose first line starts with a folder (`operator/`). A path stands at the
 * start of a line, before two spaces; an indented line (with or without `├──`) is inside the folder above it.
 */
export function treePaths(markdown: string): string[] {
  return [...markdown.matchAll(block)]
    .map(([, body = '']) => body.split('\n').filter((line) => line.trim() !== ''))
    .filter(([first = '']) => /^[\w.@-]+\/(\s|$)/.test(first))
    .flatMap(pathsOfTree);
}

function pathsOfTree(lines: string[]): string[] {
  const above: { indent: number; path: string }[] = [];
  const paths: string[] = [];
  for (const line of lines) {
    const indent = line.search(/[^\s│├└─]/);
    const [column = ''] = line.slice(indent).split(/\s{2,}/);
    if (!isPath(column)) continue;
    while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
    const path = `${above.at(-1)?.path ?? ''}${column}`;
    paths.push(path);
    if (column.endsWith('/')) above.push({ indent, path });
  }
  return paths;
}

/** A line that only goes on with the annotation of the line above holds words, not one path. */
function isPath(column: string): boolean {
  return /^[\w.@-]+(\/[\w.@-]+)*\/?$/.test(column) && /[./]|^[A-Z]+$|^Dockerfile$/.test(column);
}

/** Paths in `code` that start with a folder of the repository. */
export function codePaths(markdown: string): string[] {
  const text = markdown.replaceAll(block, '');
  const codes = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return codes.filter((code) =>
    /^(?:operator|trainer-image|crds|helm|test|docs|examples)\/[\w./@-]+$/.test(code),
  );
}
