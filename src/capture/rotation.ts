import { CameraError } from '../errors.js';
import { findBox, readBoxHeader, type Box } from './mp4-boxes.js';

/** How far a player turns the picture, in degrees. */
export type Rotation = 0 | 180;

const ONE = 0x1_0000; // 16.16
const ONE_LAST = 0x4000_0000; // 2.30
/** A, b, u, c, d, v, x, y, w of ISO/IEC 14496-12 §8.3.2. */
type Matrix = readonly number[];
const UPRIGHT: Matrix = [ONE, 0, 0, 0, ONE, 0, 0, 0, ONE_LAST];
const MATRIX_BYTES = 36;
/** Fields of a tkhd before its matrix, version and flags included; times and duration are longer in version 1. */
const BEFORE_MATRIX = { 0: 40, 1: 52 } as const;

/** Turned by half a turn about its middle, a picture comes to lie where it was. Width and height are 16.16. */
const upsideDown = (width: number, height: number): Matrix => [
  ...[-ONE, 0, 0],
  ...[0, -ONE, 0],
  ...[width, height, ONE_LAST],
];

/** Where the matrix of the first track stands in a moov, with the size that the picture has there. */
function placeOf(moov: Buffer): {
  readonly at: number;
  readonly width: number;
  readonly height: number;
} {
  const tkhd = findBox(moov, ['trak', 'tkhd']);
  const at = tkhd.body + BEFORE_MATRIX[moov.readUInt8(tkhd.body) === 1 ? 1 : 0];
  if (at + MATRIX_BYTES + 8 > tkhd.end) {
    throw new CameraError('evidence/malformed', 'a tkhd box that is too short');
  }
  const [width, height] = [0, 4].map((offset) => moov.readUInt32BE(at + MATRIX_BYTES + offset));
  return { at, width: width ?? 0, height: height ?? 0 };
}

/** How the first track of a moov is turned. Throws `evidence/malformed` for any other matrix than our two. */
export function readRotation(moov: Buffer): Rotation {
  const { at, width, height } = placeOf(moov);
  const matrix = UPRIGHT.map((_, index) => moov.readInt32BE(at + 4 * index));
  const is = (wanted: Matrix): boolean => wanted.every((value, index) => value === matrix[index]);
  if (is(UPRIGHT)) return 0;
  if (is(upsideDown(width, height))) return 180;
  throw new CameraError('evidence/malformed', 'a picture that is turned otherwise than by 180°');
}

/**
 * Boxes of a file from one of its first to its moov or beyond, so that players turn the first track: the coded picture
 * stays as it is, and so does every length. The same bytes when there is nothing to turn, else a copy.
 */
export function withRotation(boxes: Buffer, rotation: Rotation): Buffer {
  if (rotation === 0) return boxes;
  const turned = Buffer.from(boxes);
  const { start, end } = moovOf(turned);
  const moov = turned.subarray(start, end);
  const { at, width, height } = placeOf(moov);
  for (const [index, value] of upsideDown(width, height).entries()) {
    moov.writeInt32BE(value, at + 4 * index);
  }
  return turned;
}

function moovOf(boxes: Buffer): Box {
  let box = readBoxHeader(boxes, 0);
  while (box !== undefined && box.type !== 'moov') box = readBoxHeader(boxes, box.end);
  if (box === undefined) throw new CameraError('evidence/malformed', 'there is no moov box');
  return box;
}
