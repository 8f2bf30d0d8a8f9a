const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
/** `age1`, 52 characters for 32 bytes, 6 of checksum; age writes recipients in lower case only. */
export const AGE_RECIPIENT_PATTERN = /^age1[02-9ac-hj-np-z]{58}$/;

/** Coefficients of the checksum's generator polynomial, BIP 173 "Checksum". */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** `age` expanded as BIP 173 does with the human-readable part: high bits, 0, low bits. */
const PREFIX = [3, 3, 3, 0, 1, 7, 5];
/** The last of the 52 data characters carries 1 bit of the key and 4 of padding, which are zero. */
const PADDING_MASK = 0b01111;

/**
 * Whether `text` is an age X25519 recipient without a slip of the pen (Bech32, BIP 173). Says nothing about the
 * key behind it. The check stands here, apart from the age library, so that a bad config is refused before it is applied.
 */
export function isAgeRecipient(text: string): boolean {
  if (!AGE_RECIPIENT_PATTERN.test(text)) return false;
  const values = Array.from(text.slice('age1'.length), (letter) => ALPHABET.indexOf(letter));
  return polymod([...PREFIX, ...values]) === 1 && ((values[51] ?? 0) & PADDING_MASK) === 0;
}

function polymod(values: readonly number[]): number {
  return values.reduce((checksum, value) => {
    const top = checksum >>> 25;
    const shifted = ((checksum & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce(
      (sum, coefficient, bit) => ((top >>> bit) & 1 ? sum ^ coefficient : sum),
      shifted,
    );
  }, 1);
}
