import { rm } from 'node:fs/promises';
import path from 'node:path';
import { verifyPaths } from '../../src/cli/verify.js';
import type { VerifyReport } from '../../src/cli/verify.js';
import type { Problem } from '../../src/evidence/verdict.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import type { Ground } from './ground.js';
import type { Hit, TamperKind } from './kind.js';
import { fileKinds } from './kinds-files.js';
import { recordKinds } from './kinds-records.js';
import { Random } from './random.js';
import { Site } from './site.js';

export const tamperKinds: readonly TamperKind[] = [...fileKinds, ...recordKinds];

/** How one try ended. */
export interface TamperTry {
  /** What is wrong with the answer; undefined when the change was found under its right name. */
  readonly fault: string | undefined;
  /** What the verifier said about the file. */
  readonly said: string;
}

export const problemsOf = (report: VerifyReport): readonly Problem[] =>
  [...report.segments, ...report.recordings, ...report.roots].flatMap(({ problems }) => problems);

/** How the checkpoint of somebody outside is called in problems. */
export const WITNESS = 'kept.note';

export const verifyGround = (
  ground: Ground,
  where: string,
  hasWitness = false,
): Promise<VerifyReport> =>
  verifyPaths(new NodeFileSystem(), [where], ground.trust, {
    checkpoints: hasWitness ? [{ name: WITNESS, note: ground.checkpoint }] : [],
  });

function faultOf(
  kind: TamperKind,
  { file, alsoFile }: Hit,
  report: VerifyReport,
): string | undefined {
  if (report.state !== kind.state) return `the answer is ${report.state}, not ${kind.state}`;
  const problems = problemsOf(report);
  for (const wanted of alsoFile === undefined ? [file] : [file, alsoFile]) {
    const named = problems.filter((problem) => problem.file === wanted);
    if (named.length === 0) return `${wanted} is not named`;
  }
  const hit = problems.find(
    (problem) =>
      problem.file === file &&
      kind.what.includes(problem.what) &&
      (kind.hasEntry !== true || problem.entry !== undefined),
  );
  if (hit !== undefined) return undefined;
  const words = problems.filter((problem) => problem.file === file).map(({ what }) => what);
  return `${file} is ${words.join(', ')}, not ${kind.what.join(' or ')}`;
}

/** Spoils a fresh copy of the ground in this way, as the seed says, and verifies it. The copy is removed. */
export async function tryTamper(
  ground: Ground,
  kind: TamperKind,
  seed: number,
): Promise<TamperTry> {
  const to = path.join(ground.root, `try-${seed}`);
  try {
    const site = await Site.make(ground, kind.on, to);
    const hit = await kind.spoil(site, new Random(seed));
    const report = await verifyGround(ground, site.root, kind.hasWitness);
    const said = problemsOf(report).find(({ file }) => file === hit.file)?.message ?? report.state;
    return { fault: faultOf(kind, hit, report), said };
  } finally {
    await rm(to, { recursive: true, force: true });
  }
}
