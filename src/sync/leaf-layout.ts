import type { Manifest } from '../evidence/manifest.js';

/** Where leaf `index` stands in the ciphertext: leaf 0 is the head, the last leaf may be short. */
export function leafRange(
  { size, head, leaf }: Manifest['file'],
  index: number,
): { readonly offset: number; readonly length: number } {
  const offset = index === 0 ? 0 : head + (index - 1) * leaf;
  return { offset, length: Math.min(index === 0 ? head : leaf, size - offset) };
}
