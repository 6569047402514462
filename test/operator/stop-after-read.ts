/**
 * To be imported before the operator: once a job is to be cancelled and its runtime was read, which a pass does last before it
 * writes, the process stops as with SIGSTOP. From outside no test hits the moment; at any other one the timers that are due
 * come first, and the process knows that it has lost the lease before the pass goes on.
 */
const parse = JSON.parse;
let isToCancel = false;

type Parsed = { kind?: unknown; object?: { spec?: { cancel?: unknown } } } | null;

JSON.parse = (text, reviver) => {
  const value: unknown = parse(text, reviver);
  const { kind, object } = (value as Parsed) ?? {};
  isToCancel ||= object?.spec?.cancel === true;
  if (isToCancel && kind === 'FineTuneRuntime') process.kill(process.pid, 'SIGSTOP');
  return value;
};
