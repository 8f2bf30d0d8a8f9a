import { createHash } from 'node:crypto';
import path from 'node:path';
import { isCameraError } from '../errors.js';
import { STATEMENT_BYTES_MAX, readStatement } from '../evidence/export-statement.js';
import type { ExportStatement } from '../evidence/export-statement.js';
import { minisignKeyFile, openMinisign } from '../evidence/minisign.js';
import { fromSpkiBase64, keyIdOf } from '../evidence/public-key.js';
import { allowedSigner, verifySshSignature } from '../evidence/ssh-signature.js';
import { worstOf } from '../evidence/verdict.js';
import type { Problem, VerdictState } from '../evidence/verdict.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { EXPORT_STATEMENT } from './evidence-files.js';
import { readPieces } from './export-bundle.js';
import { packageNames } from './export-package.js';
import type { PackageNames } from './export-package.js';

/** Both forms of a signature are a few hundred bytes, with a comment of at most 1,000 characters. */
const SIGNATURE_BYTES_MAX = 8 * 1024;

/** What is said of an export as a whole: that it is what its exporter signed. What the camera wrote, its segments say. */
export interface ExportVerdict {
  /** Path of the bundle. */
  readonly bundle: string;
  readonly state: VerdictState;
  /** Files are named from the directory of the MP4 on. */
  readonly problems: readonly Problem[];
  /** Who signed, by his own word: the key is to be compared with one got by another way. Undefined when nothing holds. */
  readonly signer: { readonly name: string; readonly key: string } | undefined;
}

/** An export on a disk. */
interface Site {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly names: PackageNames;
  readonly statement: ExportStatement;
  readonly publicKey: Buffer;
}

/**
 * Holds an export against its own statement, its list of digests and the signatures of both its MP4 and that list. Reads each
 * file once, and MP4 and list once more for their signatures. What is not there is missing; what is none of its kind, or cannot be read, is a finding and not a failure.
 */
export async function verifyExport(
  fs: FileSystem,
  bundle: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<ExportVerdict> {
  const name = `${path.basename(bundle)}/${EXPORT_STATEMENT}`;
  const verdict = (problems: readonly Problem[], signer?: ExportVerdict['signer']) => {
    const state = worstOf(problems.map((problem) => problem.state));
    return { bundle, state, problems, signer };
  };
  try {
    const bytes = await fs.readFile(path.join(bundle, EXPORT_STATEMENT), STATEMENT_BYTES_MAX);
    const statement = readStatement(bytes);
    const directory = path.dirname(bundle);
    const names = packageNames(path.join(directory, statement.mp4));
    const publicKey = fromSpkiBase64(statement.spki);
    const site = { fs, directory, names, statement, publicKey };
    const list = await readIfThere(site, names.list, STATEMENT_BYTES_MAX);
    const { expected, problems } = expectedOf(site, list);
    problems.push(...(await checkFiles(site, expected, onBytes)));
    const signatures = await checkSignatures(site, list, onBytes);
    problems.push(...signatures, ...(await checkKeys(site)));
    const isSigned = list !== undefined && signatures.length === 0;
    return verdict(
      problems,
      isSigned ? { name: statement.exporter, key: keyIdOf(publicKey) } : undefined,
    );
  } catch (error) {
    if (!isCameraError(error)) throw error;
    const { code, message } = error;
    if (MALFORMED.includes(code)) return verdict([changedProblem(name, 'malformed', message)]);
    const file = path.basename(bundle);
    return verdict([{ state: 'not-feasible', file, what: 'unproven', message }]);
  }
}

/** Of a statement that is too long, is none, or names an MP4 that none could be called. */
const MALFORMED: readonly string[] = ['storage/limit', 'evidence/malformed', 'cli/usage'];

const changedProblem = (file: string, what: Problem['what'], message: string): Problem => ({
  ...{ state: 'not-ok', file, what },
  message: `${file}: ${message}`,
});

const missing = (file: string, message: string): Problem => ({
  ...{ state: 'ok-with-missing', file, what: 'missing' },
  message: `${file}: ${message}`,
});

/** A file that is longer than one of its kind can be is none: as good as empty. */
async function readIfThere(
  { fs, directory }: Pick<Site, 'fs' | 'directory'>,
  name: string,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const file = path.join(directory, name);
  if (!(await fs.exists(file))) return undefined;
  return (await fs.size(file)) > bytesMax ? Buffer.alloc(0) : fs.readFile(file, bytesMax);
}

/** Digest by name, of everything that statement and list name; and where the two exclude each other. */
function expectedOf(
  { names, statement }: Site,
  list: Buffer | undefined,
): { expected: ReadonlyMap<string, string>; problems: Problem[] } {
  const expected = new Map(statement.files.map(({ name, sha256 }) => [name, sha256]));
  const problems: Problem[] = [];
  if (list === undefined) {
    problems.push(
      missing(names.list, 'without the list of digests no signature covers the export'),
    );
    return { expected, problems };
  }
  // Named by the list alone, as they are written after the statement.
  const onlyListed = new Set([names.html, `${names.bundle}/${EXPORT_STATEMENT}`]);
  const listed = new Set<string>();
  const lines = list.toString('utf8').split('\n');
  if (lines.pop() !== '') {
    problems.push(changedProblem(names.list, 'cut', 'its last line has no end'));
  }
  for (const line of lines) {
    const [, sha256 = '', name = ''] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    const stated = expected.get(name);
    listed.add(name);
    if (stated === undefined && onlyListed.has(name)) expected.set(name, sha256);
    else if (stated !== sha256) {
      const what =
        name === '' ? 'a line is none of sha256sum' : `it has ${name} otherwise than the statement`;
      problems.push(changedProblem(names.list, 'contradiction', what));
    }
  }
  for (const name of [...expected.keys(), ...onlyListed]) {
    if (listed.has(name)) continue;
    problems.push(changedProblem(names.list, 'contradiction', `it does not name ${name}`));
  }
  return { expected, problems };
}

async function checkFiles(
  { fs, directory }: Site,
  expected: ReadonlyMap<string, string>,
  onBytes: (bytes: number) => void,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [name, wanted] of expected) {
    const file = path.join(directory, name);
    if (!(await fs.exists(file))) {
      problems.push(missing(name, 'it is part of the export and not here'));
      continue;
    }
    const [sha256] = await digestsOf(fs, file, ['sha256'], onBytes);
    if (sha256?.toString('hex') === wanted) continue;
    problems.push(changedProblem(name, 'changed', 'its bytes are not those that were exported'));
  }
  return problems;
}

async function digestsOf(
  fs: FileSystem,
  file: string,
  algorithms: readonly string[],
  onBytes: (bytes: number) => void,
): Promise<readonly Buffer[]> {
  const hashes = algorithms.map((algorithm) => createHash(algorithm));
  await readPieces(fs, file, (piece) => {
    for (const hash of hashes) hash.update(piece);
    onBytes(piece.length);
    return Promise.resolve();
  });
  return hashes.map((hash) => hash.digest());
}

async function checkSignatures(
  site: Site,
  list: Buffer | undefined,
  onBytes: (bytes: number) => void,
): Promise<readonly Problem[]> {
  const { fs, directory, names } = site;
  const problems: Problem[] = [];
  const signed = [names.mp4, ...(list === undefined ? [] : [names.list])];
  for (const name of signed) {
    const file = path.join(directory, name);
    if (!(await fs.exists(file))) continue;
    const digests = await digestsOf(fs, file, ['blake2b512', 'sha512'], onBytes);
    problems.push(...(await checkSignaturesOf(site, name, digests)));
  }
  return problems;
}

async function checkSignaturesOf(
  site: Site,
  name: string,
  [blake2b512 = Buffer.alloc(0), sha512 = Buffer.alloc(0)]: readonly Buffer[],
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const { publicKey, statement } = site;
  const forms: readonly (readonly [string, (text: string) => boolean])[] = [
    ['minisig', (text) => openMinisign(text, blake2b512, publicKey) !== undefined],
    ['sig', (text) => verifySshSignature(text, sha512, publicKey)],
  ];
  for (const [end, holds] of forms) {
    const file = `${name}.${end}`;
    const text = await readIfThere(site, file, SIGNATURE_BYTES_MAX);
    if (text === undefined) problems.push(missing(file, 'this signature is not here'));
    else if (!holds(text.toString('utf8'))) {
      const message = `not a signature of this file by key ${statement.key} of ${statement.exporter}`;
      problems.push(changedProblem(file, 'bad-signature', message));
    }
  }
  return problems;
}

/** The two files that hand the key to stock tools name the key of the statement, or would have them believe another. */
async function checkKeys(site: Site): Promise<readonly Problem[]> {
  const { names, statement, publicKey } = site;
  const problems: Problem[] = [];
  if (statement.key !== keyIdOf(publicKey)) {
    const name = `${names.bundle}/${EXPORT_STATEMENT}`;
    problems.push(changedProblem(name, 'contradiction', 'key id and key do not belong together'));
  }
  const files: readonly (readonly [string, string])[] = [
    [names.publicKey, minisignKeyFile(publicKey)],
    [names.allowedSigners, allowedSigner(statement.exporter, publicKey)],
  ];
  for (const [name, wanted] of files) {
    const text = await readIfThere(site, name, SIGNATURE_BYTES_MAX);
    if (text === undefined || text.toString('utf8') === wanted) continue;
    problems.push(changedProblem(name, 'contradiction', 'it names another key than the statement'));
  }
  return problems;
}
