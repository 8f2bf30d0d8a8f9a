import { readFileSync } from 'node:fs';
import type { Said } from './said.js';

/** One thing that the disk was asked for, in order. */
export type DiskRequest =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'flush' }
  | { readonly kind: 'mark'; readonly said: Said };

const MAGIC = 0x6a736677736872n;
const FLUSH = 1;
const FUA = 2;
const DISCARD = 4;
const MARK = 8;

/** The log of a disk in the format of dm-log-writes, as `logdisk` writes it. Throws for anything else. */
export function readWriteLog(file: string): readonly DiskRequest[] {
  const log = readFileSync(file);
  if (log.readBigUInt64LE(0) !== MAGIC) throw new Error(`${file} is no log of writes`);
  const entries = Number(log.readBigUInt64LE(16));
  const sector = log.readUInt32LE(24);
  const requests: DiskRequest[] = [];
  for (let n = 0, at = sector; n < entries; n += 1) {
    const [first = 0, , flags = 0, bytes = 0] = [0, 8, 16, 24].map((offset) =>
      Number(log.readBigUInt64LE(at + offset)),
    );
    if ((flags & (FUA | DISCARD)) !== 0) throw new Error('logdisk knows neither FUA nor discard');
    const data = log.subarray(at + sector, at + sector + bytes);
    at += sector + Math.ceil(bytes / sector) * sector;
    if ((flags & MARK) !== 0) {
      requests.push({ kind: 'mark', said: JSON.parse(data.toString()) as Said });
    } else if ((flags & FLUSH) !== 0) requests.push({ kind: 'flush' });
    else requests.push({ kind: 'write', offset: first * sector, data });
  }
  return requests;
}
