import type { SegmentRef } from '../units.js';
import { LEAF_BYTES } from './age-container.js';
import { scanLeaves } from './leaf-scan.js';
import type { LeafLayout, LeafScan } from './leaf-scan.js';
import { countLeaves, describePlace, secondsOf } from './leaf-seconds.js';
import type { Manifest } from './manifest.js';
import { sha256Hex } from './merkle-tree.js';
import type { Trust } from './trust.js';
import { fileNamesOf, worstOf } from './verdict.js';
import type { FileNames, Problem, VerdictState } from './verdict.js';
import { judgeHeadRoots, judgeRecovered, leafZeroBytes, verifyHeads } from './verify-heads.js';
import type { ProvenHead } from './verify-heads.js';
import { verifyLeaves } from './verify-leaves.js';
import type { ExpectedFile } from './verify-leaves.js';
import { verifyManifest } from './verify-manifest.js';
import type { ManifestResult } from './verify-manifest.js';
import { verifyReceipt } from './verify-receipt.js';
import type { ReceiptResult } from './verify-receipt.js';

/** The stored files of one segment; what is undefined is not there. Every byte of every file given is judged. */
export interface SegmentFiles {
  /** Where the files stand: what the signed documents must be about. */
  readonly ref: SegmentRef;
  /**
   * Text of `<boot>/session.dsse` by boot, as many as are at hand. Needed are that of the segment's own boot and,
   * after a power cut, that of the boot that recovered it.
   */
  readonly sessions: ReadonlyMap<number, string>;
  readonly manifest?: string | undefined;
  readonly leaves?: Buffer | undefined;
  readonly heads?: string | undefined;
  readonly meta?: Buffer | undefined;
  /** The `.age` file from its first byte, in pieces of any size. Read once, never held as a whole. */
  readonly ciphertext?: AsyncIterable<Buffer> | undefined;
  /** Instead of `ciphertext`: hashes the leaves of the `.age` file somewhere else, for example on another thread. */
  readonly scan?: ((layout: LeafLayout) => Promise<LeafScan>) | undefined;
  /** Text of `<seq>.receipt`, which only a receiver keeps. */
  readonly receipt?: string | undefined;
}

export interface SegmentVerdict {
  readonly ref: SegmentRef;
  readonly state: VerdictState;
  /** Empty when the state is `ok`; never empty otherwise. */
  readonly problems: readonly Problem[];
  /** Undefined when it is missing or refuted. Its signature holds unless the state is `not-feasible`. */
  readonly manifest: Manifest | undefined;
  /** Digest of the manifest's payload: what the next manifest must name. */
  readonly manifestDigest: string | undefined;
  /** What its receipt is worth; undefined when there is none. */
  readonly receipt?: ReceiptResult['state'];
}

/** What vouches for the ciphertext: the manifest, or else the newest head. */
function expectationOf(
  { manifest }: ManifestResult,
  heads: readonly ProvenHead[],
): ExpectedFile | undefined {
  if (manifest !== undefined) return { ...manifest.file, manifest };
  const newest = heads.at(-1)?.head;
  const head = leafZeroBytes(heads);
  if (newest === undefined || head === undefined) return undefined;
  return { size: newest.size, n: newest.n, root: newest.root, head };
}

/** What the file holds past its signed leaves. */
function judgeExtra(names: FileNames, expected: ExpectedFile, scan: LeafScan): Problem[] {
  const extra = scan.bytes - expected.size;
  if (extra <= 0) return [];
  const file = names.age;
  const { manifest } = expected;
  if (manifest === undefined) {
    const tail = Math.floor(extra / LEAF_BYTES);
    const message = `${file} has ${countLeaves(tail)} and ${extra - tail * LEAF_BYTES} bytes after the newest head, signed by nobody`;
    return [{ state: 'ok-with-missing', file, what: 'unsigned-tail', leaf: expected.n, message }];
  }
  // Of a power cut a part of one chunk may remain; the manifest of a whole segment covers every byte.
  if (manifest.end === 'power-loss' && extra < LEAF_BYTES) return [];
  const message = `${file} has ${extra} bytes after the end of what was signed`;
  return [{ state: 'not-ok', file, what: 'extra', message }];
}

/** What a power cut cost, in the words of the manifest that recovery wrote. */
function judgePowerLoss(names: FileNames, manifest: Manifest): Problem[] {
  const { recovered, file } = manifest;
  if (recovered === null) return [];
  const problems: Problem[] = [
    {
      state: 'ok-with-missing',
      file: names.age,
      what: 'cut',
      message: `the power failed while ${names.age} was being written: it ends after leaf ${file.n - 1}, the rest is lost`,
    },
  ];
  if (recovered.tail > 0) {
    const [leaf, lastLeaf] = [recovered.signed, file.n - 1];
    const span = secondsOf(manifest, leaf, lastLeaf);
    const message = `${names.age}: tail unsigned, ${countLeaves(recovered.tail)} written after the last head before the power failed (${describePlace(leaf, lastLeaf, span)})`;
    const place = { leaf, lastLeaf, ...span };
    problems.push({
      state: 'ok-with-missing',
      file: names.age,
      what: 'unsigned-tail',
      ...place,
      message,
    });
  }
  return problems;
}

function judgeMeta(
  names: FileNames,
  manifest: Manifest | undefined,
  meta: Buffer | undefined,
): Problem[] {
  const file = names.meta;
  if (manifest === undefined) {
    const message = `${file} is signed by nobody: only a manifest vouches for it`;
    return meta === undefined
      ? []
      : [{ state: 'ok-with-missing', file, what: 'unproven', message }];
  }
  if (manifest.meta === null) {
    const message = `${file} is there, but the manifest knows none`;
    return meta === undefined ? [] : [{ state: 'not-ok', file, what: 'extra', message }];
  }
  if (meta === undefined) {
    return [{ state: 'ok-with-missing', file, what: 'missing', message: `${file} is missing` }];
  }
  const message = `${file} was changed`;
  return sha256Hex(meta) === manifest.meta
    ? []
    : [{ state: 'not-ok', file, what: 'changed', message }];
}

async function scanOf(files: SegmentFiles, layout: LeafLayout): Promise<LeafScan | undefined> {
  if (files.scan !== undefined) return files.scan(layout);
  return files.ciphertext && (await scanLeaves(files.ciphertext, layout));
}

function judgeReceipt(
  { ref, receipt }: SegmentFiles,
  names: FileNames,
  { manifest, digest }: ManifestResult,
  trust: Trust,
): ReceiptResult | undefined {
  if (receipt === undefined) return undefined;
  return verifyReceipt(receipt, { ref, file: names.receipt, manifest, digest }, trust);
}

/**
 * Verifies one segment with nothing but its files and the keys of the trust file: no decryption key, no clock, no log.
 *
 * What it promises: `ok` means that every byte of every file given is the byte that was written. To hold for files
 * that are JSON or base64, where parsers shrug some changes off (white space, doubled keys, spare bits of the last
 * base64 digit, upper case), each document must be exactly the one text that the format allows for it. Order, gaps and
 * completeness of a recording are the matter of `verifyRecording`.
 *
 * Reads the ciphertext once, keeps 32 bytes per leaf. Rejects only with errors of the ciphertext's source; bad content
 * is a verdict.
 */
export async function verifySegment(files: SegmentFiles, trust: Trust): Promise<SegmentVerdict> {
  const { ref } = files;
  const names = fileNamesOf(ref);
  const sealed = verifyManifest(files, trust);
  const heads =
    files.heads === undefined || sealed.recorder === undefined
      ? undefined
      : verifyHeads(files.heads, ref, sealed.recorder);
  const problems = [...sealed.problems, ...(heads?.problems ?? [])];
  const expected = expectationOf(sealed, heads?.heads ?? []);
  if (expected === undefined) {
    const message = `nothing that is signed vouches for ${names.age}: no valid manifest and no valid head`;
    problems.push({ state: 'not-feasible', file: names.age, what: 'unproven', message });
  } else {
    const scan = await scanOf(files, expected);
    const leaves = verifyLeaves({ names, expected, list: files.leaves, scan });
    problems.push(...leaves.problems);
    if (scan !== undefined) problems.push(...judgeExtra(names, expected, scan));
    if (leaves.proven !== undefined && heads !== undefined) {
      problems.push(...judgeHeadRoots(names, expected, leaves.proven, heads.heads));
    }
  }
  if (sealed.manifest !== undefined) {
    problems.push(...judgePowerLoss(names, sealed.manifest));
    // Without the session key the missing certificate is the problem, not the heads.
    const isReadable = sealed.recorder !== undefined;
    if (isReadable) problems.push(...judgeRecovered(names, sealed.manifest, heads?.heads ?? []));
  }
  problems.push(...judgeMeta(names, sealed.manifest, files.meta));
  const receipt = judgeReceipt(files, names, sealed, trust);
  problems.push(...(receipt?.problems ?? []));
  return {
    ref,
    state: worstOf(problems.map(({ state }) => state)),
    problems,
    manifest: sealed.manifest,
    manifestDigest: sealed.digest,
    ...(receipt && { receipt: receipt.state }),
  };
}
