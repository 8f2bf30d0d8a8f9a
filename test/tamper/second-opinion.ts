import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { VerifyReport } from '../../src/cli/verify.js';
import { formatSegmentRef } from '../../src/units.js';
import type { Ground } from './ground.js';
import type { TamperKind } from './kind.js';
import { Random } from './random.js';
import { Site } from './site.js';
import { problemsOf, tamperKinds, verifyGround } from './try.js';

const VERIFIER = 'test/vectors/verify.py';
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Of so many stores one is left as it is, the others are spoiled once or twice. */
const GOOD_ONE_IN = 5;

/** What both verifiers say of one place, in the words that they share. */
export interface Opinion {
  readonly state: string;
  /** `1/2/0 ok`, in order. */
  readonly segments: readonly string[];
  /** `state what file`, each once, in order. */
  readonly problems: readonly string[];
}

/** One store: how it was spoiled, and what each of the two says. */
export interface Comparison {
  readonly name: string;
  readonly ours: Opinion;
  readonly theirs: Opinion;
}

const sorted = (texts: Iterable<string>): readonly string[] => [...new Set(texts)].sort();

const opinionOf = (report: VerifyReport): Opinion => ({
  state: report.state,
  segments: sorted(report.segments.map(({ ref, state }) => `${formatSegmentRef(ref)} ${state}`)),
  problems: sorted(problemsOf(report).map(({ state, what, file }) => `${state} ${what} ${file}`)),
});

interface PythonReport {
  readonly path: string;
  readonly state: string;
  readonly segments: readonly { readonly segment: string; readonly state: string }[];
  readonly problems: readonly (readonly string[])[];
}

/** What the verifier in Python says of places, asked once for all of them. */
export async function secondOpinions(
  trust: string,
  places: readonly string[],
  more: readonly string[] = [],
): Promise<ReadonlyMap<string, Opinion>> {
  const run = promisify(execFile);
  const args = [VERIFIER, ...places, '--trust', trust, ...more];
  const options = { maxBuffer: OUTPUT_BYTES_MAX };
  // It ends as `lapel verify` does, so a store that is not ok is no failure of the process.
  const { stdout, stderr } = await run('python3', args, options).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && 'stderr' in error) {
      return { stdout: String(error.stdout), stderr: String(error.stderr) };
    }
    throw error;
  });
  if (stderr !== '') throw new Error(stderr);
  const reports = stdout.trimEnd().split('\n');
  return new Map(
    reports.map((line) => {
      const { path: place, state, segments, problems } = JSON.parse(line) as PythonReport;
      const opinion = {
        state,
        segments: sorted(segments.map(({ segment, state: own }) => `${segment} ${own}`)),
        problems: sorted(problems.map((problem) => problem.join(' '))),
      };
      return [place, opinion];
    }),
  );
}

/** Spoils a copy in up to two ways; the second may find nothing any more to spoil. */
async function spoil(site: Site, kinds: readonly TamperKind[], random: Random): Promise<void> {
  for (const [index, kind] of kinds.entries()) {
    try {
      await kind.spoil(site, random);
    } catch (error) {
      if (index === 0) throw error;
    }
  }
}

/** Makes so many good and bad stores from the seed and asks both verifiers about each. */
export async function compare(
  ground: Ground,
  seed: number,
  count: number,
): Promise<readonly Comparison[]> {
  const random = new Random(seed);
  const ours = new Map<string, { name: string; opinion: Opinion }>();
  const made: string[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const on = random.pick(['card', 'store'] as const);
      const fitting = tamperKinds.filter((kind) => kind.on === on);
      const kinds = Array.from({ length: random.whole(1, 3) }, () => random.pick(fitting));
      const chosen = random.whole(0, GOOD_ONE_IN) === 0 ? [] : kinds;
      const to = path.join(ground.root, `opinion-${seed}-${n}`);
      made.push(to);
      const site = await Site.make(ground, on, to);
      await spoil(site, chosen, random);
      const name = `${n}, ${on}: ${chosen.map((kind) => kind.name).join(' + ') || 'untouched'}`;
      ours.set(site.root, { name, opinion: opinionOf(await verifyGround(ground, site.root)) });
    }
    const theirs = await secondOpinions(path.join(ground.root, 'trust.json'), [...ours.keys()]);
    return [...ours].map(([place, { name, opinion }]) => ({
      name,
      ours: opinion,
      theirs: theirs.get(place) ?? { state: 'nothing', segments: [], problems: [] },
    }));
  } finally {
    for (const place of made) await rm(place, { recursive: true, force: true });
  }
}
