import { sessionFileOf } from './verdict.js';
import type { Problem } from './verdict.js';

/** The device of most boots, undefined for none; of several with as many, the one that comes first. */
export function ownerOf(deviceOf: ReadonlyMap<number, string>): string | undefined {
  const counts = new Map<string, number>();
  for (const device of deviceOf.values()) counts.set(device, (counts.get(device) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}

/**
 * A card and a folder of a store are of one camera: boots of another among them were brought there. `deviceOf` says whose
 * certificate each boot has, as far as it holds; `expected` is the camera that the folder is named after, if it is.
 */
export function verifyOwner(
  deviceOf: ReadonlyMap<number, string>,
  expected: string | undefined,
): Problem[] {
  const owner = expected ?? ownerOf(deviceOf);
  return [...deviceOf].flatMap(([boot, device]): Problem[] => {
    if (device === owner) return [];
    const file = sessionFileOf(boot);
    const message = `${file} is of ${device}, but everything here is said to be of ${owner ?? ''}`;
    return [{ state: 'not-ok', file, what: 'contradiction', message }];
  });
}
