import { readFile } from 'node:fs/promises';

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** User and system time of a process and all its threads so far (proc(5), stat, fields 14 and 15). */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process (proc(5), statm, field 2). */
export async function rssBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/statm`, 'latin1');
  return Number(text.split(' ')[1]) * PAGE_BYTES;
}

/** Process ids of the children of a process (proc(5), children). */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return text.split(' ').filter(Boolean).map(Number);
}
