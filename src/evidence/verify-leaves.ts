import type { LeafScan } from './leaf-scan.js';
import { describePlace, secondsOf } from './leaf-seconds.js';
import type { Manifest } from './manifest.js';
import { HASH_BYTES, leafAt, rootOfLeaves } from './merkle-tree.js';
import type { FileNames, Problem, ProblemKind } from './verdict.js';

/** What a manifest, or without one the newest head, says about the ciphertext. */
export interface ExpectedFile {
  readonly size: number;
  /** Bytes of leaf 0. */
  readonly head: number;
  readonly n: number;
  /** Hex. */
  readonly root: string;
  /** Tells seconds; absent when only a head vouches. */
  readonly manifest?: Manifest;
}

export interface LeavesResult {
  /** Hashes that hash to the expected root, when there are any: the list's or the file's own. */
  readonly proven: Buffer | undefined;
  readonly problems: readonly Problem[];
}

interface Inputs {
  readonly names: FileNames;
  readonly expected: ExpectedFile;
  /** The `.leaves` file. */
  readonly list: Buffer | undefined;
  /** What the `.age` file really holds; undefined when it is missing. */
  readonly scan: LeafScan | undefined;
}

type Place = Pick<Problem, 'leaf' | 'lastLeaf' | 'second' | 'lastSecond'>;

/** Leaf numbers and, as far as the manifest tells, seconds. */
function placeOf({ manifest }: ExpectedFile, leaf: number, lastLeaf: number): [Place, string] {
  const span = manifest && secondsOf(manifest, leaf, lastLeaf);
  return [{ leaf, lastLeaf, ...span }, describePlace(leaf, lastLeaf, span)];
}

/** First and last index at which two lists differ, over the hashes that both have. */
function differences(
  a: Buffer,
  b: Buffer,
): { first: number; last: number; count: number } | undefined {
  const shared = Math.floor(Math.min(a.length, b.length) / HASH_BYTES);
  let first = -1;
  let last = -1;
  let count = 0;
  for (let index = 0; index < shared; index += 1) {
    if (leafAt(a, index).equals(leafAt(b, index))) continue;
    if (first < 0) first = index;
    last = index;
    count += 1;
  }
  return count === 0 ? undefined : { first, last, count };
}

const holds = (hashes: Buffer, { n, root }: ExpectedFile): boolean =>
  hashes.length === n * HASH_BYTES && rootOfLeaves(hashes).toString('hex') === root;

/** The part of the list the expectation is about; a list may run ahead of a head, never of a manifest. */
const relevantList = (list: Buffer, { n, manifest }: ExpectedFile): Buffer =>
  manifest === undefined ? list.subarray(0, n * HASH_BYTES) : list;

/** Problems of the `.leaves` file, given the hashes that are proven another way, if any. */
function judgeList({ names, expected, list }: Inputs, truth: Buffer | undefined): Problem[] {
  const file = names.leaves;
  if (list === undefined) {
    const message = `${file} is missing: damage cannot be narrowed down to leaves`;
    return [{ state: 'ok-with-missing', file, what: 'missing', message }];
  }
  const whole = expected.n * HASH_BYTES;
  const wrong = truth && differences(list, truth);
  if (wrong !== undefined) {
    const [place, where] = placeOf(expected, wrong.first, wrong.last);
    const message = `${file} was changed at ${where}; the footage itself is as it was signed`;
    return [{ state: 'not-ok', file, what: 'changed', ...place, message }];
  }
  if (truth !== undefined && list.length < whole) {
    const message = `${file} is cut: ${list.length} of ${whole} bytes; what is there is right`;
    return [{ state: 'ok-with-missing', file, what: 'cut', message }];
  }
  if (list.length > whole) {
    const message = `${file} has ${list.length - whole} bytes more than its segment has leaves`;
    return [{ state: 'not-ok', file, what: 'extra', message }];
  }
  const message = `${file} was changed: it does not lead to the signed root`;
  return [{ state: 'not-ok', file, what: 'changed', message }];
}

/** Problems of the `.age` file when the list of hashes is proven. */
function judgeFileByList(inputs: Inputs, scan: LeafScan, list: Buffer): Problem[] {
  const { names, expected } = inputs;
  const problems: Problem[] = [];
  const wrong = differences(scan.hashes, list);
  if (wrong !== undefined) {
    const [place, where] = placeOf(expected, wrong.first, wrong.last);
    const count = wrong.count === 1 ? '' : ` (${wrong.count} leaves)`;
    const message = `${names.age} was changed in ${where}${count}`;
    problems.push({ state: 'not-ok', file: names.age, what: 'changed', ...place, message });
  }
  const there = scan.hashes.length / HASH_BYTES;
  if (there < expected.n) {
    const [place, where] = placeOf(expected, there, expected.n - 1);
    const message = `${names.age} is cut: ${scan.bytes} of ${expected.size} bytes, ${where} missing`;
    problems.push({ state: 'ok-with-missing', file: names.age, what: 'cut', ...place, message });
  }
  return problems;
}

/** Problems of the `.age` file when neither it nor the list leads to the signed root. */
function judgeFileAlone({ names, expected, list }: Inputs, scan: LeafScan): Problem[] {
  const file = names.age;
  const there = scan.hashes.length / HASH_BYTES;
  const fail = (
    state: Problem['state'],
    what: ProblemKind,
    text: string,
    place?: Place,
  ): Problem => ({
    state,
    file,
    what,
    ...place,
    message: `${file} ${text}`,
  });
  if (there < expected.n) {
    const [place, where] = placeOf(expected, there, expected.n - 1);
    return [
      fail('ok-with-missing', 'cut', `is cut: ${where} missing`, place),
      fail('not-feasible', 'unproven', 'is cut and has no valid leaf list: the rest is unproven'),
    ];
  }
  const wrong = list && differences(scan.hashes, list);
  if (wrong === undefined) {
    const text = 'was changed; without a valid leaf list nothing tells where';
    return [fail('not-ok', 'changed', text)];
  }
  const [place, where] = placeOf(expected, wrong.first, wrong.last);
  return [
    fail('not-ok', 'changed', `and its leaf list were changed; they differ at ${where}`, place),
  ];
}

/**
 * Compares the leaf list and the leaves of the file with the signed root, and each other. If one of them is intact it
 * shows which leaves of the other are not. Bytes after the last leaf are not judged here.
 */
export function verifyLeaves(inputs: Inputs): LeavesResult {
  const { names, expected, scan } = inputs;
  const list = inputs.list && relevantList(inputs.list, expected);
  const isListGood = list !== undefined && holds(list, expected);
  const isFileGood = scan !== undefined && holds(scan.hashes, expected);
  const problems: Problem[] = [];
  if (!isListGood) {
    problems.push(...judgeList({ ...inputs, list }, isFileGood ? scan.hashes : undefined));
  }
  if (scan === undefined || (scan.bytes === 0 && expected.size > 0)) {
    const message = `${names.age} is missing: there is no footage to verify`;
    problems.push({ state: 'not-feasible', file: names.age, what: 'missing', message });
  } else if (!isFileGood) {
    const found = isListGood
      ? judgeFileByList(inputs, scan, list)
      : judgeFileAlone({ ...inputs, list }, scan);
    problems.push(...found);
  }
  const proven = isListGood ? list : isFileGood ? scan.hashes : undefined;
  return { proven, problems };
}
