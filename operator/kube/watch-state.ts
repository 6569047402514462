/**
 * The state machine of list and watch: `next` is pure, watch.ts does what it says.
 *
 *   empty --page--> paging --last page--> watching --event--> watching
 *     ^-------- 410, or too many failures --------'
 *
 * A list comes in one piece, as it can be had from the memory of the API server: pages of one are read from etcd where nothing
 * changed since its last compaction, at three times the cost. One that does not come through is asked for in pages, and one
 * whose next page is gone in one piece again.
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError, errorOfStatus, type StatusBody } from './errors.ts';
import { isAtLeast } from './resource-version.ts';

/** Failures in a row after which a watch starts again with a list, and a list that goes back in time is believed. */
export const patience = 8;

/** `L` is an object of a list, in the shape in which it waits for the last page. */
export type State<L> = {
  /** Failures since the last sign of life from a watch. */
  failures: number;
  /** Newest version seen, so that a server which lags behind is noticed. */
  newest: string | undefined;
} & (
  | { at: 'empty'; inOnePiece: boolean }
  /** `misses`: failures of the next page in a row. */
  | { at: 'paging'; token: string; objects: L[]; misses: number }
  | { at: 'watching'; resourceVersion: string }
);

export type Input<L> =
  | { got: 'page'; objects: L[]; resourceVersion: string; token: string | undefined }
  | { got: 'line'; type: string; object: KubernetesObject }
  /** The server closed the watch; `early` = long before it should have. */
  | { got: 'end'; early: boolean }
  | { got: 'error'; error: ApiError };

export type Effect<T, L = T> =
  | { do: 'nothing' }
  | { do: 'replace'; objects: L[] }
  | { do: 'put'; object: T }
  | { do: 'remove'; object: T }
  /** Wait as long as the failures and the error ask for. */
  | { do: 'retry'; error: ApiError };

export type Step<T, L = T> = { state: State<L>; effect: Effect<T, L> };

export function start<L>(): State<L> {
  return { at: 'empty', inOnePiece: true, failures: 0, newest: undefined };
}

export function next<T extends KubernetesObject, L = T>(state: State<L>, input: Input<L>): Step<T, L> {
  switch (input.got) {
    case 'page':
      return onPage(state, input);
    case 'line':
      return onLine(state, input);
    case 'end':
      if (!input.early) return { state: { ...state, failures: 0 }, effect: { do: 'nothing' } };
      return onError(state, new ApiError('Unavailable', 'the server closed the watch at once'));
    case 'error':
      return onError(state, input.error);
  }
}

function onPage<T, L>(state: State<L>, page: Extract<Input<L>, { got: 'page' }>): Step<T, L> {
  const { failures, newest } = state;
  const objects = state.at === 'paging' ? [...state.objects, ...page.objects] : page.objects;
  if (page.token !== undefined) {
    const paging: State<L> = { at: 'paging', token: page.token, objects, misses: 0, failures, newest };
    return { state: paging, effect: { do: 'nothing' } };
  }
  const { resourceVersion } = page;
  if (newest !== undefined && !isAtLeast(resourceVersion, newest) && failures < patience) {
    const what = `the list is older (${resourceVersion}) than what was seen (${newest})`;
    return onError({ ...start<L>(), failures, newest }, new ApiError('Unavailable', what));
  }
  return {
    state: { at: 'watching', resourceVersion, failures, newest: resourceVersion },
    effect: { do: 'replace', objects },
  };
}

function onLine<T extends KubernetesObject, L>(
  state: State<L>,
  { type, object }: Extract<Input<L>, { got: 'line' }>,
): Step<T, L> {
  if (type === 'ERROR') {
    const status = object as StatusBody;
    return onError(state, errorOfStatus('WATCH', status.code ?? 500, status));
  }
  const resourceVersion = object.metadata?.resourceVersion;
  if (resourceVersion === undefined) {
    return onError(state, new ApiError('Unavailable', `an event ${type} without resourceVersion`));
  }
  const watching: State<L> = { at: 'watching', resourceVersion, failures: 0, newest: resourceVersion };
  const effect = effectOf<T, L>(type, object as T);
  if (effect === undefined) return onError(state, new ApiError('Unavailable', `an unknown event ${type}`));
  return { state: watching, effect };
}

function effectOf<T, L>(type: string, object: T): Effect<T, L> | undefined {
  if (type === 'ADDED' || type === 'MODIFIED') return { do: 'put', object };
  if (type === 'DELETED') return { do: 'remove', object };
  return type === 'BOOKMARK' ? { do: 'nothing' } : undefined;
}

function onError<T, L>(state: State<L>, error: ApiError): Step<T, L> {
  const failures = state.failures + 1;
  const { newest } = state;
  const effect: Effect<T, L> = { do: 'retry', error };
  const anew = (inOnePiece: boolean): Step<T, L> => ({
    state: { at: 'empty', inOnePiece, failures, newest },
    effect,
  });
  if (state.at === 'empty') return anew(!state.inOnePiece);
  if (error.kind === 'Gone') return anew(true);
  if (state.at === 'watching')
    return failures % patience === 0 ? anew(true) : { state: { ...state, failures }, effect };
  // A token that is refused now, say after a restore of etcd, may be refused for ever.
  const misses = state.misses + 1;
  return misses === patience ? anew(true) : { state: { ...state, failures, misses }, effect };
}
