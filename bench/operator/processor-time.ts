/** Which of the programs that a bench started had the processor: what an operator waits for may be none of its own work. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Clock ticks a second, as Linux counts processor time. */
const ticks = 100;

/** Seconds by program, of our own process and of those that it started. */
export type Seconds = ReadonlyMap<string, number>;

/** Starts to count. The function that it returns says what came since. */
export function processorTime(): () => Seconds {
  const before = secondsByProgram();
  return () =>
    new Map([...secondsByProgram()].map(([program, each]) => [program, each - (before.get(program) ?? 0)]));
}

/** Most first: "kube-apiserver 12.3 s, etcd 0.2 s". */
export function inWords(seconds: Seconds): string {
  return [...seconds]
    .filter(([, each]) => each >= 0.1)
    .toSorted(([, one], [, other]) => other - one)
    .map(([program, each]) => `${program} ${each.toFixed(1)} s`)
    .join(', ');
}

function secondsByProgram(): Seconds {
  const seconds = new Map<string, number>();
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  for (const pid of pids) {
    const stat = statOf(pid);
    if (stat === undefined || (pid !== process.pid && stat.parent !== process.pid)) continue;
    const program = pid === process.pid ? 'bench' : stat.program;
    seconds.set(program, (seconds.get(program) ?? 0) + stat.seconds);
  }
  return seconds;
}

type Stat = { program: string; parent: number; seconds: number };

/** What the kernel counts of a process; undefined once it has ended, and for threads of the kernel. */
export function statOf(pid: number): Stat | undefined {
  let stat: string;
  let program: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    program = basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    program,
    parent: Number(fields[1]),
    seconds: (Number(fields[11]) + Number(fields[12])) / ticks,
  };
}
