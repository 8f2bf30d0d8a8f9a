import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ALL_FORMATS, BufferSource, Input } from 'mediabunny';
import type { AccessUnit } from '../../src/capture/gdp-reader.js';
import type { VideoFormat } from '../../src/capture/ports.js';
import { formatEnvelopeFile, payloadDigest } from '../../src/evidence/dsse.js';
import { readManifest } from '../../src/evidence/manifest.js';
import { formatMetadata } from '../../src/evidence/metadata.js';
import type { MetadataLine } from '../../src/evidence/metadata.js';
import { toSpkiBase64 } from '../../src/evidence/public-key.js';
import { sealReceipt } from '../../src/evidence/receipt.js';
import { createSigner } from '../../src/evidence/signer.js';
import { formatTrust, withReceiver } from '../../src/evidence/trust.js';
import { pts90k } from '../../src/units.js';
import { mp4Packets } from './mp4-packets.js';
import { makeCamera, makeSegment } from './sealed-recording.js';
import type { TestCamera, TestSegment } from './sealed-recording.js';
import { writeSegments } from './segment-files.js';
import { storedSegment } from './synthetic-video.js';

const run = promisify(execFile);
const ENCODE_MS_MAX = 60_000;
const FRAMES_A_SECOND = 30;
const TICKS = 90_000;
/** 2026-11-24T12:00:00Z. */
const NOON_MS = Date.UTC(2026, 10, 24, 12);
const START_MONO_MS = 10_000;

/** A recording of H.264 that decodes, as it lies in the store of a receiver, and what somebody needs to read and judge it. */
export interface RealRecording {
  readonly camera: TestCamera;
  readonly segments: readonly TestSegment[];
  /** `<dir>/store/<device>/17/3`. */
  readonly recording: string;
  readonly store: string;
  readonly trust: string;
  readonly identity: string;
  readonly frames: number;
}

/** Pictures of a moving test card, an IDR each second, and their format. */
async function encode(
  directory: string,
  seconds: number,
): Promise<{ readonly units: readonly AccessUnit[]; readonly format: VideoFormat }> {
  const file = path.join(directory, 'encoded.mp4');
  const source = `testsrc2=size=320x240:rate=${FRAMES_A_SECOND}:duration=${seconds}`;
  await run(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', source, '-c:v', 'libx264'],
      ...['-preset', 'ultrafast', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p'],
      ...['-g', `${FRAMES_A_SECOND}`, '-b:v', '1M', '-threads', '1', file],
    ],
    { timeout: ENCODE_MS_MAX },
  );
  const bytes = await readFile(file);
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(bytes) });
  const config = await (await input.getPrimaryVideoTrack())?.getDecoderConfig();
  const description: unknown = config?.description;
  if (!(description instanceof Uint8Array)) throw new Error('no avcC');
  const avcC = Buffer.from(description);
  const units = (await mp4Packets(bytes)).map(({ data, at90k, duration90k, isIdr }) => ({
    ...{ data, isIdr, duration90k, pts90k: pts90k(at90k) },
  }));
  return { units, format: { avcC, width: 320, height: 240 } };
}

/** What the wearer and the sensors did in segment `seq`. Names that would be markup must come out as text. */
function metadataOf(seq: number, segmentMs: number, salt: Buffer): Buffer {
  const from = seq * segmentMs;
  const mono = START_MONO_MS + from;
  const clock = { source: 'gnss', wall_ms: NOON_MS, uncertainty_ms: 500 } as const;
  const lines: MetadataLine[] = [
    { type: 'salt', salt: salt.toString('hex') },
    { type: 'opened', mono, ...clock },
    { type: 'start', mono, media_ms: from },
    {
      type: 'facts',
      wearer: 'Agent <7> & "8"',
      mount: 'helmet',
      rotation: 0,
      cfg: 'ab'.repeat(32),
    },
    { type: 'clock', mono: START_MONO_MS, ...clock },
    { type: 'mark', mono: mono + 500, media_ms: from + 500 },
    { type: 'interval', kind: 'mute', from_ms: from + 200, to_ms: from + 900 },
    {
      ...{ type: 'gnss', mono, media_ms: from, lat_e7: 481_234_567, lon_e7: 115_000_000 },
      ...{ alt_mm: null, speed_mm_s: null, course_cdeg: null, hdop_c: 90, accuracy_mm: 4_500 },
    },
  ];
  if (seq === 0) lines.push({ type: 'trigger', kind: 'start', mono: mono + 300 });
  return formatMetadata(lines);
}

/** Makes one of `count` segments of `seconds` each, with receipts and a trust file, below `directory`. */
export async function makeRealRecording(
  directory: string,
  { count = 3, seconds = 2 }: { readonly count?: number; readonly seconds?: number } = {},
): Promise<RealRecording> {
  const camera = makeCamera('lapel-7', [17]);
  const { units, format } = await encode(directory, count * seconds);
  const frames = seconds * FRAMES_A_SECOND;
  const segments: TestSegment[] = [];
  for (let seq = 0; seq < count; seq += 1) {
    const own = units.slice(seq * frames, (seq + 1) * frames);
    const previous = segments.at(-1);
    segments.push(
      makeSegment(camera, {
        ref: { boot: 17, rec: 3, seq },
        plain: await storedSegment(own, format),
        metadata: (salt) => metadataOf(seq, seconds * 1_000, salt),
        ...(previous && { previous }),
        change: (manifest) => ({
          ...manifest,
          media: {
            ...manifest.media,
            ...{ width: 320, height: 240, frames, duration90k: seconds * TICKS },
            start90k: seq * seconds * TICKS,
          },
          ...(seq === 0 && { trigger: 'press' as const }),
          last: seq === count - 1,
        }),
      }),
    );
  }
  const at = (name: string): string => path.join(directory, name);
  const recording = await writeSegments(at('store/lapel-7'), camera, segments);
  const receiver = createSigner(randomBytes(32));
  for (const segment of segments) {
    const receipt = sealReceipt(receiptOf(camera, segment), receiver);
    await writeFile(
      path.join(recording, `${segment.ref.seq}.receipt`),
      formatEnvelopeFile(receipt),
    );
  }
  const trust = withReceiver(camera.trust, 'rx1', toSpkiBase64(receiver.publicKey));
  await writeFile(at('trust.json'), formatTrust(trust));
  await writeFile(at('identity.txt'), `${camera.identity}\n`, { mode: 0o600 });
  return {
    ...{ camera, segments, recording, store: at('store'), frames: count * frames },
    ...{ trust: at('trust.json'), identity: at('identity.txt') },
  };
}

const receiptOf = (camera: TestCamera, { ref, envelope, ciphertext }: TestSegment) => ({
  ...{ device: camera.device, seg: `${ref.boot}/${ref.rec}/${ref.seq}` },
  man: payloadDigest(envelope),
  ...{ root: readManifest(envelope).file.root, size: ciphertext.length, log: null },
  stores: [{ id: 'rx1', kind: 'fs' as const, durable: true as const }],
  ...{ rx: 'rx1', ts: NOON_MS, nonce: '00'.repeat(16) },
});
