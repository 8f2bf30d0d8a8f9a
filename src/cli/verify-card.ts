import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CameraError, isCameraError, messageOf, systemCode } from '../errors.js';
import { originOf } from '../evidence/checkpoint.js';
import type { LoggedSegment } from '../evidence/log-claims.js';
import { findDevice } from '../evidence/trust.js';
import type { Trust } from '../evidence/trust.js';
import { worstOf } from '../evidence/verdict.js';
import type { Problem, VerdictState } from '../evidence/verdict.js';
import { DATABASE_FILE, verifyCatalog } from '../evidence/verify-catalog.js';
import type { CatalogClaim, CataloguedSegment } from '../evidence/verify-catalog.js';
import { verifyClaims } from '../evidence/verify-claims.js';
import type { ClaimScope, SegmentClaim } from '../evidence/verify-claims.js';
import { LOG_NAME, LogVerifier } from '../evidence/verify-log.js';
import type { LogVerdict } from '../evidence/verify-log.js';
import { ownerOf, verifyOwner } from '../evidence/verify-owner.js';
import { RowJudge } from '../evidence/verify-rows.js';
import { verifySession } from '../evidence/verify-session.js';
import { formatSegmentRef, parseSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import { openCardRecords } from '../storage/card-records.js';
import type { CardRecords } from '../storage/card-records.js';
import { CARD_DATABASE, CARD_EVIDENCE } from './evidence-files.js';

/** What SQLite keeps beside a database in WAL mode and has not yet written into it. */
const WAL = '-wal';
/** How problems name the heads that the card itself keeps. */
const CHECKPOINT_NAME = 'checkpoint';

/** What a device log says, and about what it could be asked. */
export interface LogSummary {
  readonly entries: number;
  /** Hex, RFC 6962 §2.1. */
  readonly root: string;
  /** So many of them are under a checkpoint. */
  readonly vouched: number;
}

/** What is said of one root as a whole: what is missing from it, and what its records say otherwise. */
export interface RootVerdict {
  readonly root: string;
  readonly state: VerdictState;
  readonly problems: readonly Problem[];
  /** Undefined where there is no log: then a recording that is wholly gone is not noticed. */
  readonly log: LogSummary | undefined;
}

/** What is known of a root when its records are judged. */
export interface RootContent {
  readonly root: string;
  readonly segments: readonly CataloguedSegment[];
  /** Text of `<boot>/session.dsse` by boot. */
  readonly sessions: ReadonlyMap<number, string>;
  readonly scope: ClaimScope;
  /** Signed heads of logs that somebody has kept; those of other cameras are left alone. */
  readonly checkpoints: readonly KeptCheckpoint[];
}

/** The database of the card that a root belongs to; undefined when it belongs to none. */
export async function databaseOf(root: string): Promise<string | undefined> {
  if (path.basename(root) !== CARD_EVIDENCE) return undefined;
  const file = path.join(path.dirname(root), CARD_DATABASE);
  return (await isThere(file)) ? file : undefined;
}

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw new CameraError('storage/io', `cannot read ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

const unproven = (message: string): Problem => ({
  state: 'not-feasible',
  file: DATABASE_FILE,
  what: 'unproven',
  message: `${DATABASE_FILE} cannot be read: ${message}`,
});

/** Works on a copy: SQLite writes beside what it reads, and evidence may lie on a medium that takes nothing. */
async function withRecords<T>(database: string, use: (records: CardRecords) => T): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lapel-verify-'));
  try {
    const copy = path.join(directory, CARD_DATABASE);
    await copyFile(database, copy);
    if (await isThere(database + WAL)) await copyFile(database + WAL, copy + WAL);
    const records = openCardRecords(copy);
    try {
      return use(records);
    } finally {
      records.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A signed head of a log that somebody outside the card has kept, and how it is called. */
export interface KeptCheckpoint {
  readonly name: string;
  readonly note: string;
}

/** Entry by entry, each against its own row and all of them against the checkpoints. */
function judgeLog(
  records: CardRecords,
  { sessions, device, checkpoints }: RootContent & { readonly device: string | undefined },
  trust: Trust,
): { verdict: LogVerdict; rows: readonly Problem[] } {
  const kept = [...records.checkpoints()].map((note) => ({ name: CHECKPOINT_NAME, note }));
  const verifier = new LogVerifier({
    trust,
    sessions,
    checkpoints: [...kept, ...checkpoints],
    ...(device !== undefined && { device }),
  });
  const rows = new RowJudge();
  for (const row of records.entries()) {
    rows.take(row);
    verifier.push(row.envelope);
  }
  return { verdict: verifier.end(), rows: rows.problems };
}

const claimOf = ({ seg, man, index, deletable, deleted }: LoggedSegment): SegmentClaim[] => {
  const ref = parseSegmentRef(seg);
  // From the first half of a deletion on the files may go.
  return ref === undefined
    ? []
    : [{ ref, man, entry: index, deleted: deleted ?? deletable ?? undefined }];
};

function judgeRecords(
  records: CardRecords,
  content: RootContent & { readonly device: string | undefined },
  trust: Trust,
): { problems: Problem[]; log: LogSummary } {
  const { segments, scope } = content;
  const problems: Problem[] = [];
  if (records.damage !== undefined) {
    const message = `${DATABASE_FILE} is damaged: ${records.damage}`;
    problems.push({ state: 'not-ok', file: DATABASE_FILE, what: 'malformed', message });
  }
  const { verdict: log, rows } = judgeLog(records, content, trust);
  const own = [...rows, ...log.problems];
  // A silence in another hour does not concern a recording that was asked for alone; a log that was forged does.
  problems.push(...(scope.isWhole ? own : own.filter(({ state }) => state === 'not-ok')));
  const claims = log.segments.flatMap(claimOf);
  const verdicts = segments.map(({ verdict }) => verdict);
  problems.push(...verifyClaims(claims, verdicts, scope));
  const gone = new Set(
    claims.flatMap(({ ref, deleted }) => (deleted === undefined ? [] : [formatSegmentRef(ref)])),
  );
  const isInScope = ({ ref: { boot, rec } }: CatalogClaim): boolean =>
    scope.isWhole || scope.recordings.has(`${boot}/${rec}`);
  const catalog = [...records.catalog()].filter(isInScope);
  const isGone = (ref: SegmentRef): boolean => gone.has(formatSegmentRef(ref));
  problems.push(...verifyCatalog(catalog, segments, trust, isGone));
  const { size, root, vouched } = log;
  return { problems, log: { entries: size, root: root.toString('hex'), vouched } };
}

/** Whose the boots of a root are, and what is wrong with that. */
function judgeOwner(
  { root, sessions }: RootContent,
  trust: Trust,
): { readonly device: string | undefined; readonly problems: readonly Problem[] } {
  const deviceOf = new Map<number, string>();
  for (const [boot, text] of sessions) {
    const result = verifySession(boot, text, trust, undefined);
    if (result.isGood) deviceOf.set(boot, result.session.device);
  }
  const name = path.basename(root);
  const named = findDevice(trust, name) === undefined ? undefined : name;
  return { device: named ?? ownerOf(deviceOf), problems: verifyOwner(deviceOf, named) };
}

/** A checkpoint of a log that is not there: what it vouches for cannot be looked at. */
const withoutLog = ({ name }: KeptCheckpoint): Problem => ({
  state: 'not-feasible',
  file: LOG_NAME,
  what: 'missing',
  message: `${name} vouches for a log, and there is none here to hold against it`,
});

/** Those that are of the camera in question; without one all of them, for the log to judge. */
const checkpointsOf = (
  all: readonly KeptCheckpoint[],
  device: string | undefined,
): readonly KeptCheckpoint[] =>
  all.filter(({ note }) => device === undefined || originIn(note) === originOf(device));

/** The first line, before anything is verified. */
const originIn = (note: string): string => note.slice(0, Math.max(0, note.indexOf('\n')));

/**
 * Judges a root as a whole: whose it is, and, where its database is beside it, whether it holds what that names. A
 * database that cannot be read is a finding, not the end of the verification.
 */
export async function verifyRoot(content: RootContent, trust: Trust): Promise<RootVerdict> {
  const { root } = content;
  const owner = judgeOwner(content, trust);
  const checkpoints = checkpointsOf(content.checkpoints, owner.device);
  const database = await databaseOf(root);
  const verdict = (problems: readonly Problem[], log: LogSummary | undefined): RootVerdict => {
    const all = [...owner.problems, ...problems];
    return { root, state: worstOf(all.map(({ state }) => state)), problems: all, log };
  };
  if (database === undefined) return verdict(checkpoints.map(withoutLog), undefined);
  try {
    const known = { ...content, checkpoints, device: owner.device };
    const { problems, log } = await withRecords(database, (records) =>
      judgeRecords(records, known, trust),
    );
    return verdict(problems, log);
  } catch (error) {
    if (!isCameraError(error)) throw error;
    const isDamaged = error.code === 'storage/corrupt';
    const problem: Problem = isDamaged
      ? { ...unproven(error.message), state: 'not-ok', what: 'malformed' }
      : unproven(error.message);
    return verdict([problem], undefined);
  }
}
