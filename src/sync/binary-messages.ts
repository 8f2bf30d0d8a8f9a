import { CameraError } from '../errors.js';
import { LEAF_BYTES } from '../evidence/age-container.js';
import { HASH_BYTES } from '../evidence/merkle-tree.js';
import { PAYLOAD_BYTES_MAX } from './messages.js';

/**
 * The binary messages: a fixed header of big-endian numbers, then bytes. Decoders take any bytes and return views of
 * them, never copies, or throw `sync/malformed`, nothing else.
 */

/** Which segment of the session, and for which want of the receiver. */
export interface Address {
  readonly key: number;
  readonly epoch: number;
}

/** u32 key, u32 epoch, u32 leaf index. */
export const CHUNK_HEADER_BYTES = 12;
/** u32 key, u32 epoch, u32 index of the first hash. */
const LEAVES_HEADER_BYTES = 12;
/** u32 key, u32 epoch, u32 seen, u32 credit end. */
const ACK_BYTES = 16;
/** u32 key, u32 epoch, u8 kind, u32 offset, u32 total. */
const ATTACHMENT_HEADER_BYTES = 17;

/** 128,012 bytes with the header: below `PAYLOAD_BYTES_MAX`. */
export const LEAVES_PER_MESSAGE = 4_000;
export const ATTACHMENT_PART_BYTES_MAX = PAYLOAD_BYTES_MAX - ATTACHMENT_HEADER_BYTES;
/** Heads grow by about 700 bytes a second and metadata by less: an hour of a stuck segment still fits. */
export const ATTACHMENT_BYTES_MAX = 4 * 1024 * 1024;

const malformed = (name: string, length: number): CameraError =>
  new CameraError('sync/malformed', `${name}: wrong at ${length} bytes`);

/** One leaf of a segment on its way. */
export interface Chunk extends Address {
  readonly index: number;
  /** A view of the message. */
  readonly leaf: Buffer;
}

/** Writes the header in front of a leaf that already stands in `message` from `CHUNK_HEADER_BYTES` on. */
export function writeChunkHeader(message: Buffer, { key, epoch }: Address, index: number): void {
  message.writeUInt32BE(key, 0);
  message.writeUInt32BE(epoch, 4);
  message.writeUInt32BE(index, 8);
}

export function decodeChunk(message: Buffer): Chunk {
  if (message.length <= CHUNK_HEADER_BYTES || message.length > CHUNK_HEADER_BYTES + LEAF_BYTES) {
    throw malformed('chunk', message.length);
  }
  return {
    key: message.readUInt32BE(0),
    epoch: message.readUInt32BE(4),
    index: message.readUInt32BE(8),
    leaf: message.subarray(CHUNK_HEADER_BYTES),
  };
}

/** Part of a leaf list: hashes from the leaf `first` on. */
export interface LeavesPart extends Address {
  readonly first: number;
  /** Whole 32-byte hashes, at most `LEAVES_PER_MESSAGE`. */
  readonly hashes: Buffer;
}

export function encodeLeaves({ key, epoch, first, hashes }: LeavesPart): Buffer {
  const message = Buffer.allocUnsafeSlow(LEAVES_HEADER_BYTES + hashes.length);
  writeChunkHeader(message, { key, epoch }, first);
  hashes.copy(message, LEAVES_HEADER_BYTES);
  return message;
}

export function decodeLeaves(message: Buffer): LeavesPart {
  const count = (message.length - LEAVES_HEADER_BYTES) / HASH_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > LEAVES_PER_MESSAGE) {
    throw malformed('leaves', message.length);
  }
  return {
    key: message.readUInt32BE(0),
    epoch: message.readUInt32BE(4),
    first: message.readUInt32BE(8),
    hashes: message.subarray(LEAVES_HEADER_BYTES),
  };
}

/** How far the receiver has seen the chunks of an epoch, and how far the device may go. */
export interface Ack extends Address {
  /** One past the highest leaf that arrived. */
  readonly seen: number;
  /** One past the last leaf that may be sent. */
  readonly creditEnd: number;
}

export function encodeAck({ key, epoch, seen, creditEnd }: Ack): Buffer {
  const message = Buffer.allocUnsafeSlow(ACK_BYTES);
  writeChunkHeader(message, { key, epoch }, seen);
  message.writeUInt32BE(creditEnd, 12);
  return message;
}

export function decodeAck(message: Buffer): Ack {
  if (message.length !== ACK_BYTES) throw malformed('ack', message.length);
  return {
    key: message.readUInt32BE(0),
    epoch: message.readUInt32BE(4),
    seen: message.readUInt32BE(8),
    creditEnd: message.readUInt32BE(12),
  };
}

const attachmentCodes = { meta: 1, heads: 2 } as const;
/** The small files of a segment beside the ciphertext and its leaf list. */
export type AttachmentKind = keyof typeof attachmentCodes;

/** Part of an attachment. A missing or empty attachment is one part of no bytes with the total 0. */
export interface AttachmentPart extends Address {
  readonly kind: AttachmentKind;
  readonly offset: number;
  readonly total: number;
  readonly bytes: Buffer;
}

export function encodeAttachment(part: AttachmentPart): Buffer {
  const message = Buffer.allocUnsafeSlow(ATTACHMENT_HEADER_BYTES + part.bytes.length);
  message.writeUInt32BE(part.key, 0);
  message.writeUInt32BE(part.epoch, 4);
  message.writeUInt8(attachmentCodes[part.kind], 8);
  message.writeUInt32BE(part.offset, 9);
  message.writeUInt32BE(part.total, 13);
  part.bytes.copy(message, ATTACHMENT_HEADER_BYTES);
  return message;
}

export function decodeAttachment(message: Buffer): AttachmentPart {
  if (message.length < ATTACHMENT_HEADER_BYTES || message.length > PAYLOAD_BYTES_MAX) {
    throw malformed('attachment', message.length);
  }
  const code = message.readUInt8(8);
  const kind = (['meta', 'heads'] as const).find((name) => attachmentCodes[name] === code);
  const offset = message.readUInt32BE(9);
  const total = message.readUInt32BE(13);
  const bytes = message.subarray(ATTACHMENT_HEADER_BYTES);
  const isWhole = bytes.length > 0 ? offset + bytes.length <= total : offset === 0 && total === 0;
  if (kind === undefined || total > ATTACHMENT_BYTES_MAX || !isWhole) {
    throw malformed('attachment', message.length);
  }
  return {
    key: message.readUInt32BE(0),
    epoch: message.readUInt32BE(4),
    kind,
    offset,
    total,
    bytes,
  };
}
