import { createHash } from 'node:crypto';
import path from 'node:path';
import { minisign, minisignKeyFile } from '../evidence/minisign.js';
import type { Signer } from '../evidence/signer.js';
import { allowedSigner, sshSignature } from '../evidence/ssh-signature.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { formatUtc, wallTimeMs } from '../units.js';
import type { Digests } from './export-bundle.js';

/** What is signed, and by whom. */
export interface SignedContent {
  readonly signer: Signer;
  readonly exporter: string;
  readonly createdMs: number;
  readonly mp4: Pick<Digests, 'sha512' | 'blake2b512'>;
  /** The list of digests. */
  readonly list: Buffer;
}

export interface SignatureNames {
  readonly mp4: string;
  readonly list: string;
  readonly publicKey: string;
  readonly allowedSigners: string;
}

/**
 * Writes `.minisig` and `.sig` of the MP4 and of the list of digests into `stage`, and the public key in both forms.
 * Returns the names of the signatures.
 */
export async function writeSignatures(
  fs: FileSystem,
  { names, stage }: { readonly names: SignatureNames; readonly stage: string },
  { signer, exporter, createdMs, mp4, list }: SignedContent,
): Promise<readonly string[]> {
  const write = (name: string, text: string): Promise<void> =>
    fs.writeAtomic(path.join(stage, name), Buffer.from(text));
  await write(names.publicKey, minisignKeyFile(signer.publicKey));
  await write(names.allowedSigners, allowedSigner(exporter, signer.publicKey));
  const hash = (algorithm: string): Buffer => createHash(algorithm).update(list).digest();
  const signed = [
    [names.mp4, mp4],
    [names.list, { sha512: hash('sha512'), blake2b512: hash('blake2b512') }],
  ] as const;
  const written: string[] = [];
  for (const [name, { sha512, blake2b512 }] of signed) {
    const comment = `${name}, exported by ${exporter} with lapel, ${formatUtc(wallTimeMs(createdMs))}`;
    await write(`${name}.minisig`, minisign(blake2b512, comment, signer));
    await write(`${name}.sig`, sshSignature(sha512, signer));
    written.push(`${name}.minisig`, `${name}.sig`);
  }
  return written;
}
