/** How much an operator asks of the API server, and how much is too much. Pure. */

export type Work = {
  /** All requests. */
  requests: number;
  /** Writes and core Events, by name. */
  writes: Record<string, number>;
};

/** @param seen names of requests and events in order, "name.nth" */
export function workOf(seen: readonly string[], requests: number): Work {
  const writes: Record<string, number> = {};
  for (const each of seen) {
    const name = each.slice(0, each.lastIndexOf('.'));
    if (!/^(list|watch|read|event-of)-/.test(name)) writes[name] = (writes[name] ?? 0) + 1;
  }
  return { requests, writes };
}

/** Faults cost a list, a try again, a new process: never much, and never a loop. Leases are renewed as long as a run lasts. */
export function excessOf(usual: Work, work: Work): string[] {
  const counts = Object.entries(work.writes).filter(([name]) => !name.startsWith('lease'));
  return [
    excess('requests', work.requests, { usual: usual.requests, most: 2 * usual.requests + 50 }),
    ...counts.map(([name, count]) => {
      const few = usual.writes[name] ?? 0;
      return excess(name, count, { usual: few, most: 2 * few + 6 });
    }),
  ].flat();
}

function excess(what: string, count: number, { usual, most }: { usual: number; most: number }): string[] {
  return count <= most ? [] : [`${count} times ${what}: without a fault ${usual}, allowed ${most}`];
}
