import { isCameraError } from '../errors.js';
import { deviceOfOrigin, openCheckpoint, parseCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { parseEnvelope, parseEnvelopeFile, payloadDigest } from './dsse.js';
import type { Envelope } from './dsse.js';
import { LogBoots } from './log-boots.js';
import type { LoggedBoot } from './log-boots.js';
import { LogClaims } from './log-claims.js';
import type { LoggedSegment } from './log-claims.js';
import { entryLeaf, openEntry, readEntry } from './log-entry.js';
import type { LogEntry } from './log-entry.js';
import { Frontier, leafHash } from './merkle-tree.js';
import { listKeysOf } from './trust.js';
import type { Trust } from './trust.js';
import { worstOf } from './verdict.js';
import type { Problem, ProblemKind, VerdictState } from './verdict.js';
import { kindOf, verifySession } from './verify-session.js';
import type { SessionResult } from './verify-session.js';

/** How problems name the log itself: it has no file of its own on a card. */
export const LOG_NAME = 'log';
/** A log that is wrong in every line says no more by saying it of all of them. */
export const LOG_PROBLEMS_MAX = 1000;

export interface LogVerification {
  readonly trust: Trust;
  /** Whose log it has to be; without it the one that its first good entry names. */
  readonly device?: string;
  /** Text of `<boot>/session.dsse` for every boot of which it is at hand. */
  readonly sessions: ReadonlyMap<number, string>;
  /** Signed notes with a name for each: the newest of the card, those of receivers, one that an auditor kept. */
  readonly checkpoints: readonly { readonly name: string; readonly note: string }[];
}

export interface LogVerdict {
  readonly state: VerdictState;
  /** At most `LOG_PROBLEMS_MAX`, those of entries with `entry`; `unlisted` were left out. */
  readonly problems: readonly Problem[];
  readonly unlisted: number;
  readonly device: string | undefined;
  readonly size: number;
  /** RFC 6962 over all entries that were given. */
  readonly root: Buffer;
  /**
   * So many entries from the first on are under a checkpoint of the device key. Of those behind it each is signed, but the
   * newest could be missing and nobody would see it here.
   */
  readonly vouched: number;
  /** Checkpoints that hold, by their name. */
  readonly held: readonly { readonly name: string; readonly size: number }[];
  readonly boots: readonly LoggedBoot[];
  /** What the log claims of segments; trust in it only as far as `state` goes. */
  readonly segments: readonly LoggedSegment[];
}

interface Expected {
  readonly name: string;
  readonly checkpoint: Checkpoint;
}

/**
 * Verifies a device log entry by entry, in memory that grows with boots and segments alone: each envelope by the session key that
 * the device key certified for its boot, boots and times in order, silences, and the tree against every checkpoint
 * given. A checkpoint over more entries than there are shows that the log was rolled back, one with another root that it was
 * forked. Nothing here throws for bad content.
 */
export class LogVerifier {
  readonly #options: LogVerification;
  readonly #tree = new Frontier();
  readonly #boots = new LogBoots();
  readonly #claims = new LogClaims();
  readonly #sessions = new Map<number, SessionResult>();
  readonly #problems: Problem[] = [];
  readonly #held: { name: string; size: number }[] = [];
  #unlisted = 0;
  #worst: VerdictState = 'ok';
  #device: string | undefined;
  /** By size, the smallest last. */
  #expected: Expected[] = [];
  #vouchers = 0;

  constructor(options: LogVerification) {
    this.#options = options;
    this.#device = options.device;
    for (const { name, note } of options.checkpoints) this.#expect(name, note);
    this.#expected.sort((a, b) => b.checkpoint.size - a.checkpoint.size);
    this.#compare();
  }

  /** Takes the next entry: its envelope in its one text form, without a newline or with one. */
  push(text: string): void {
    const index = this.#tree.size;
    let leaf: Buffer;
    try {
      const envelope = parseEnvelope(text);
      leaf = entryLeaf(envelope);
      const entry = this.#open(index, envelope);
      if (entry !== undefined) this.#judge(index, entry);
    } catch (error) {
      if (!isCameraError(error)) throw error;
      this.#fail(index, 'not-ok', kindOf(error), `is not as it was signed: ${error.message}`);
      leaf = leafOf(text);
    }
    this.#tree.push(leaf);
    this.#compare();
  }

  /** After the last entry. */
  end(): LogVerdict {
    const { size } = this.#tree;
    for (const { name, checkpoint } of this.#expected) {
      const message = `${name} vouches for ${checkpoint.size} entries of the log, here are ${size}: the newest ${checkpoint.size - size} were dropped, or this is an older state`;
      this.#add({ state: 'not-ok', file: LOG_NAME, what: 'rolled-back', entry: size, message });
    }
    const vouched = Math.max(0, ...this.#held.map((held) => held.size));
    if (this.#vouchers === 0) {
      const message = 'no checkpoint vouches for the log: its newest entries could be missing';
      this.#add({ state: 'not-feasible', file: LOG_NAME, what: 'unproven', message });
    }
    this.#judgeSessions();
    return {
      state: this.#worst,
      problems: this.#problems,
      unlisted: this.#unlisted,
      device: this.#device,
      ...{ size, root: this.#tree.root(), vouched, held: this.#held },
      boots: this.#boots.list,
      segments: this.#claims.list(),
    };
  }

  /** The entry, as far as it can be read; undefined when it says nothing that can be judged. */
  #open(index: number, envelope: Envelope): LogEntry | undefined {
    const claimed = readEntry(envelope);
    const session = this.#session(claimed.boot);
    if (!session.isGood) return this.#isOurs(index, claimed.device) ? claimed : undefined;
    const entry = openEntry(envelope, session.session.publicKey);
    return this.#isOurs(index, entry.device) ? entry : undefined;
  }

  #isOurs(index: number, device: string): boolean {
    this.#device ??= device;
    if (device === this.#device) return true;
    this.#fail(index, 'not-ok', 'wrong-place', `is of ${device}, the log of ${this.#device}`);
    return false;
  }

  #judge(index: number, entry: LogEntry): void {
    const session = this.#sessions.get(entry.boot);
    const text = this.#options.sessions.get(entry.boot);
    const cert =
      session?.isGood === true && text !== undefined
        ? payloadDigest(parseEnvelopeFile(text))
        : undefined;
    for (const { state, what, words } of this.#boots.add(index, entry, cert)) {
      this.#fail(index, state, what, words);
    }
    const contradiction = this.#claims.add(index, entry);
    if (contradiction !== undefined) this.#fail(index, 'not-ok', 'contradiction', contradiction);
  }

  /** Told once for each boot, however many entries it has. */
  #session(boot: number): SessionResult {
    const known = this.#sessions.get(boot);
    if (known !== undefined) return known;
    const { sessions, trust } = this.#options;
    const result = verifySession(boot, sessions.get(boot), trust, this.#device);
    this.#sessions.set(boot, result);
    if (!result.isGood) this.#add(result.problem);
    return result;
  }

  /** A certificate whose boot has no entry: its log was cut off behind the boots that it has. */
  #judgeSessions(): void {
    const newest = this.#boots.list.at(-1)?.boot ?? 0;
    for (const boot of [...this.#options.sessions.keys()].sort((a, b) => a - b)) {
      if (boot <= newest) continue;
      const message = `boot ${boot} has a certificate and no entry in the log, which ends with boot ${newest}`;
      this.#add({ state: 'ok-with-missing', file: LOG_NAME, what: 'missing', message });
    }
  }

  /** Keeps a checkpoint for when the log has its size. */
  #expect(name: string, note: string): void {
    try {
      const { origin } = parseCheckpoint(note);
      const device = this.#device ?? deviceOf(origin);
      const keys = listKeysOf(this.#options.trust, device);
      if (keys.length === 0) {
        const message = `${name} is a checkpoint of ${origin}, unknown to the trust file`;
        this.#add({ state: 'not-feasible', file: name, what: 'unknown-device', message });
        return;
      }
      const checkpoint = openCheckpoint(note, device, keys);
      this.#device ??= device;
      this.#expected.push({ name, checkpoint });
      this.#vouchers += 1;
    } catch (error) {
      if (!isCameraError(error)) throw error;
      const message = `${name} is no checkpoint of this log: ${error.message}`;
      this.#add({ state: 'not-ok', file: name, what: kindOf(error), message });
    }
  }

  /** Every checkpoint over as many entries as there are now. */
  #compare(): void {
    const { size } = this.#tree;
    while (this.#expected.at(-1)?.checkpoint.size === size) {
      const expected = this.#expected.pop();
      if (expected === undefined) return;
      const { name, checkpoint } = expected;
      if (this.#tree.root().equals(checkpoint.root)) {
        this.#held.push({ name, size });
        continue;
      }
      const message = `${name} vouches for other entries than the first ${size} of this log: one of the two was forged after the fact`;
      this.#add({ state: 'not-ok', file: LOG_NAME, what: 'forked', lastEntry: size - 1, message });
    }
  }

  #fail(entry: number, state: Problem['state'], what: ProblemKind, words: string): void {
    this.#add({ state, file: LOG_NAME, what, entry, message: `log entry ${entry} ${words}` });
  }

  #add(problem: Problem): void {
    this.#worst = worstOf([this.#worst, problem.state]);
    if (this.#problems.length < LOG_PROBLEMS_MAX) this.#problems.push(problem);
    else this.#unlisted += 1;
  }
}

/** A leaf for what is no entry, so that whatever vouches for the log contradicts it. */
const leafOf = (text: string): Buffer => leafHash(Buffer.from(text));

const deviceOf = (origin: string): string => deviceOfOrigin(origin) ?? origin;
