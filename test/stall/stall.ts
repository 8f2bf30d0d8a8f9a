import { stallBounds, stallFaults, stallKinds, tryStall, type StallTimes } from './stall-try.js';

// `npm run stall [-- TRIES]`: makes the real capture child go wrong in every way there is, ten times each, and holds what the
// camera does against the bounds. Ends with 1 when one try was out of them.

const TRIES = 10;
const steps = ['seenMs', 'toldMs', 'amberMs', 'picturesMs', 'redMs'] as const;

function cell(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (known.length === 0) return 'never';
  const seconds = (ms: number | undefined): string => ((ms ?? 0) / 1000).toFixed(2);
  const text = `${seconds(known[Math.floor(known.length / 2)])}, ${seconds(known.at(-1))}`;
  return known.length === values.length ? text : `${text} (${known.length} of ${values.length})`;
}

const tries = Number(process.argv[2] ?? TRIES);
const write = (line: string): void => void process.stdout.write(`${line}\n`);
write(
  `${tries} tries each; median and longest in seconds from when it went wrong, bound in brackets`,
);
write(
  '| kind | seen | told | amber | pictures again | red again | restarts | missing, median | out of bounds |',
);
write('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
let bad = 0;
for (const kind of stallKinds) {
  const all: StallTimes[] = [];
  const faults: string[] = [];
  for (let count = 0; count < tries; count++) {
    const times = await tryStall(kind);
    all.push(times);
    const words = stallFaults(kind, times);
    if (words.length > 0) faults.push(`try ${count + 1}: ${words.join(', ')}`);
  }
  bad += faults.length;
  const cells = steps.map((step) => {
    const bound = stallBounds[kind][step] ?? 0;
    return `${cell(all.map((times) => times[step]))} [${(bound / 1000).toFixed(1)}]`;
  });
  const restarts = all.reduce((sum, times) => sum + times.restarts, 0);
  const missing = cell(all.map(({ missingMs }) => missingMs));
  write(
    `| ${kind} | ${cells.join(' | ')} | ${restarts} | ${missing} | ${faults.join('; ') || 'none'} |`,
  );
}
process.exitCode = bad === 0 ? 0 : 1;
