import { formatEnvelope, payloadDigest } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import type { Manifest } from '../evidence/manifest.js';
import { formatSegmentRef } from '../units.js';
import type { Catalog } from './catalog.js';
import type { DeviceLog, LogFact } from './device-log.js';

/** What the log says of a manifest: that a segment was sealed, or that recovery sealed what a cut had left open. */
function factOf(envelope: Envelope, manifest: Manifest): LogFact {
  const seg = formatSegmentRef(manifest);
  const man = payloadDigest(envelope);
  if (manifest.recovered !== null) return { type: 'recovered', seg, man, ...manifest.recovered };
  const { size, root } = manifest.file;
  return { type: 'segment', seg, man, size, root, last: manifest.last };
}

/**
 * Enters a segment whose manifest is durable on the card into log and catalog: into both or, when it rejects, into
 * neither. `isMarked` is left out when nobody can say whether the wearer marked something in it. The caller makes sure that the catalog does not know it yet. Rejects with the errors of the log.
 */
export async function enterSealed(
  log: DeviceLog,
  catalog: Catalog,
  envelope: Envelope,
  manifest: Manifest,
  isMarked?: boolean,
): Promise<void> {
  const { boot, rec, seq } = manifest;
  await log.append(factOf(envelope, manifest), () =>
    catalog.add({
      ref: { boot, rec, seq },
      bytes: manifest.file.size,
      ending: manifest.end,
      manifest: formatEnvelope(envelope),
      digest: payloadDigest(envelope),
      isMarked,
    }),
  );
}
