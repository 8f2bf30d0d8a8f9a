import { capsPacket, segmentPacket, unitPacket } from '../../src/hal/sim/gdp-writer.js';
import { muxGop } from '../../src/capture/mp4.js';
import { placeMoof } from '../../src/capture/mp4-boxes.js';
import type { AccessUnit } from '../../src/capture/gdp-reader.js';
import type { Fragment, VideoFormat } from '../../src/capture/ports.js';
import { monotonicMs, pts90k } from '../../src/units.js';

/** A frame at 30 frames a second. */
export const FRAME_90K = 3000;

/** What x264enc makes of 320x240 in constrained baseline. */
export const FORMAT: VideoFormat = {
  avcC: Buffer.from(
    '0142c015ffe1001b6742c015da0507ec05a830303528000003000800000301e478b17501000468ce3c80',
    'hex',
  ),
  width: 320,
  height: 240,
};

/** One NAL unit of `bytes` bytes in all, with a number in it that tells it from every other. */
export function nalUnit(bytes: number, isIdr: boolean, number: number): Buffer {
  const unit = Buffer.alloc(bytes, number & 0xff);
  unit.writeUInt32BE(bytes - 4, 0);
  unit.writeUInt8(isIdr ? 0x65 : 0x41, 4);
  unit.writeUInt32BE(number, 5);
  return unit;
}

interface UnitOptions {
  readonly gopFrames?: number;
  readonly start90k?: number;
  readonly frame90k?: number;
  readonly bytes?: number;
}

/** `count` access units from an IDR on, numbered from 0. */
export function accessUnits(count: number, options: UnitOptions = {}): AccessUnit[] {
  const { gopFrames = 30, start90k = 0, frame90k = FRAME_90K, bytes = 40 } = options;
  return Array.from({ length: count }, (_, index) => {
    const isIdr = index % gopFrames === 0;
    return {
      data: nalUnit(bytes + (index % 7), isIdr, index),
      pts90k: pts90k(start90k + index * frame90k),
      duration90k: frame90k,
      isIdr,
    };
  });
}

/** A fragment as the recorder sees it, without real boxes. For tests of what only counts and places. */
export function bareFragment(fields: Partial<Fragment> = {}): Fragment {
  return {
    run: 1,
    format: FORMAT,
    moof: Buffer.alloc(0),
    mdat: Buffer.alloc(0),
    init: Buffer.alloc(0),
    start90k: pts90k(0),
    duration90k: 90_000,
    frames: 30,
    arrivedAt: monotonicMs(0),
    ...fields,
  };
}

/** A segment as the writer stores it: init, then one fragment for each GOP of `units`. */
export async function storedSegment(
  units: readonly AccessUnit[],
  format: VideoFormat = FORMAT,
): Promise<Buffer> {
  const starts = units.flatMap((unit, index) => (unit.isIdr ? [index] : []));
  const parts: Buffer[] = [];
  for (const [number, start] of starts.entries()) {
    const next = units[starts[number + 1] ?? units.length];
    const gop = units.slice(start, starts[number + 1]);
    const { init, moof, mdat } = await muxGop(gop, format, next?.pts90k);
    if (number === 0) parts.push(init);
    const offset = (gop[0]?.pts90k ?? 0) - (units[0]?.pts90k ?? 0);
    parts.push(placeMoof(moof, offset, number + 1), mdat);
  }
  return Buffer.concat(parts);
}

/** The same units as a GDP stream whose segment starts at `startNs`. */
export function gdpStream(
  units: readonly AccessUnit[],
  startNs = 3_600_000_000_000_000n,
  format: VideoFormat = FORMAT,
): Buffer {
  const toNs = (ticks: number): bigint => (BigInt(ticks) * 100_000n) / 9n;
  return Buffer.concat([
    capsPacket(format.avcC, format.width, format.height),
    segmentPacket(startNs),
    ...units.map((unit) =>
      unitPacket(unit.data, startNs + toNs(unit.pts90k), toNs(unit.duration90k), !unit.isIdr),
    ),
  ]);
}

/** `bytes` cut at the places given, in any order; empty pieces are left in. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) =>
    bytes.subarray(index === 0 ? 0 : sorted[index - 1], end),
  );
}
