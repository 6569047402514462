/** Variables of a session as named tensors, and back. */
import { TrainerError } from '../failure.ts';
import type { Session } from '../graph/session.ts';
import { assignVariables, variableReader } from '../graph/variable-transfer.ts';
import type { Variable } from '../graph/variables.ts';
import type { NamedTensor } from './tensor.ts';

/** Variables under their names; the data of each is read when asked for. */
export function lazyTensors(session: Session, variables: readonly Variable[]): NamedTensor[] {
  const read = variableReader(session, variables);
  return variables.map((variable) => ({
    name: variable.name,
    shape: variable.shape,
    get data() {
      return read(variable);
    },
  }));
}

/** A tensor under another name, its data still read when asked for. */
export function renamed(tensor: NamedTensor, name: string): NamedTensor {
  return {
    name,
    shape: tensor.shape,
    get data() {
      return tensor.data;
    },
  };
}

/**
 * Sets variables by name; each group as a whole or not at all. Returns the names that were given.
 * @throws TrainerError ModelError when a name or shape is wrong, or one of a group is missing
 */
export function restoreVariables(
  session: Session,
  groups: readonly (readonly Variable[])[],
  tensors: Iterable<NamedTensor>,
): ReadonlySet<string> {
  const byName = new Map(groups.flat().map((variable) => [variable.name, variable]));
  const given = new Map<string, NamedTensor>();
  for (const tensor of tensors) {
    const variable = byName.get(tensor.name);
    if (variable === undefined) throw unfit(`it has an unknown tensor '${tensor.name}'`);
    if (variable.shape.join() !== tensor.shape.join()) {
      throw unfit(`'${tensor.name}' is [${tensor.shape.join(', ')}], want [${variable.shape.join(', ')}]`);
    }
    if (given.has(tensor.name)) throw unfit(`'${tensor.name}' comes twice`);
    given.set(tensor.name, tensor);
  }
  for (const group of groups) {
    const missing = group.filter(({ name }) => !given.has(name));
    if (missing.length > 0 && missing.length < group.length) throw unfit(`'${missing[0]?.name}' is missing`);
  }
  if (given.size === 0) throw unfit('it is empty');
  for (const group of groups) {
    if (!given.has(group[0]?.name ?? '')) continue;
    assignVariables(session, group, ({ name }) => (given.get(name) as NamedTensor).data);
  }
  return new Set(given.keys());
}

function unfit(reason: string): TrainerError {
  return new TrainerError(
    'ModelError',
    `The saved state does not fit the model: ${reason}.`,
    'Delete the checkpoint of this run, or start a new run with another runId.',
  );
}
