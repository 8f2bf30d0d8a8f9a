import { bech32 } from '@scure/base';

// Bech32 (BIP 173), the text form of age keys. The checksum catches every typing error of up to four characters.

/** BIP 173: longer texts lose the guarantee of the checksum. */
const LENGTH_MAX = 90;

/** Lower-case text of `bytes` under a lower-case prefix. */
export const encodeBech32 = (prefix: string, bytes: Uint8Array): string =>
  bech32.encode(prefix, bech32.toWords(bytes), LENGTH_MAX);

/**
 * The bytes under `prefix` (lower case); text may be all lower or all upper case. Undefined for any other text:
 * another prefix, mixed case, a foreign character, a wrong checksum, stray padding bits.
 */
export function decodeBech32(prefix: string, text: string): Buffer | undefined {
  const decoded = bech32.decodeUnsafe(text, LENGTH_MAX);
  if (decoded?.prefix !== prefix) return undefined;
  const bytes = bech32.fromWordsUnsafe(decoded.words);
  return bytes instanceof Uint8Array ? Buffer.from(bytes) : undefined;
}
