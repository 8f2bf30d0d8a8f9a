import { z } from 'zod';
import { CameraError, messageOf } from '../errors.js';
import { envelopeSchema, formatEnvelope, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { ID_PATTERN, formatSegmentRef, parseSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';

/**
 * The JSON messages of the protocol. Every decoder takes any bytes and either returns a message or throws
 * `sync/malformed`, nothing else. Unknown fields are ignored, so that a newer peer can add some; another `v` is
 * refused, because then known fields may mean something else.
 */

const VERSION = 1;
/** No message is larger: AWS IoT Core takes 128 KiB, and every other broker more. */
export const PAYLOAD_BYTES_MAX = 131_072;
/** More offers at once would gain nothing: segments move one after the other. */
export const OFFER_ITEMS_MAX = 64;
/** Leaves of one segment: 4 GiB of video, an hour at 9 Mbit/s. Keeps the leaf list at 2 MiB and a bitmap in one message. */
export const SEGMENT_LEAVES_MAX = 65_536;

const BITMAP_TEXT_MAX = Math.ceil(SEGMENT_LEAVES_MAX / 8 / 3) * 4;
const TOPIC_BYTES_MAX = 256;
const UINT32_MAX = 0xffff_ffff;

const id = z.string().regex(ID_PATTERN);
const uint32 = z.int().min(0).max(UINT32_MAX);
const count = z.int().min(0);
export const version = z.literal(VERSION);
const isSegmentText = (text: string): boolean => parseSegmentRef(text) !== undefined;
const segmentText = z.string().max(32).refine(isSegmentText, 'not <boot>/<rec>/<seq>');

const birthSchema = z.object({
  v: version,
  /** Session id: random, new for each connection object of the device. */
  sid: id,
  device: id,
  boot: count,
  /** The certificate of this boot's session key. */
  session: envelopeSchema,
  /** Bytes left on the card. */
  free: count.optional(),
  /** Version of this protocol. */
  proto: z.literal(1),
});
/** A device is there. Retained, said again for every new receiver. */
export type Birth = Omit<z.infer<typeof birthSchema>, 'v' | 'proto'>;

const deviceStateSchema = z.object({ v: version, sid: id, s: z.enum(['ready', 'sync', 'lost']) });
/** `ready`: connected, nothing to hand over. `sync`: handing over. `lost`: gone, also as the will. */
export type DeviceState = Omit<z.infer<typeof deviceStateSchema>, 'v'>;

const receiverStateSchema = z.object({ v: version, s: z.enum(['online', 'offline']), ts: count });
/** `ts` names the start of the receiver: another value means that it has forgotten everything but its store. */
export type ReceiverState = Omit<z.infer<typeof receiverStateSchema>, 'v'>;

const offerSchema = z.object({
  v: version,
  sid: id,
  items: z
    .array(z.object({ key: uint32, seg: segmentText, man: envelopeSchema }))
    .max(OFFER_ITEMS_MAX),
  /** By boot: the session certificates of the boots that recorded and sealed the items. */
  certs: z.record(z.string().regex(/^\d{1,10}$/), envelopeSchema),
});
/** A segment and the number that stands for it in every other message of this session. */
export interface OfferItem {
  readonly key: number;
  readonly ref: SegmentRef;
  readonly manifest: Envelope;
}
export interface Offer {
  readonly sid: string;
  readonly items: readonly OfferItem[];
  readonly certificates: ReadonlyMap<number, Envelope>;
}

const wantSchema = z.object({
  v: version,
  sid: id,
  rx: id,
  key: uint32,
  epoch: uint32,
  to: z.string().max(TOPIC_BYTES_MAX),
  leaves: z.boolean(),
  meta: z.boolean().optional(),
  heads: z.boolean().optional(),
  have: z
    .string()
    .max(BITMAP_TEXT_MAX)
    .regex(/^[A-Za-z0-9+/]*={0,2}$/)
    .optional(),
  creditEnd: uint32,
});
/** What a receiver still needs of one segment. Idempotent; the newest epoch replaces every older one. */
export interface Want {
  readonly sid: string;
  readonly rx: string;
  readonly key: number;
  readonly epoch: number;
  /** Topic for the chunks. The device takes it only when it is an inbox of its own. */
  readonly to: string;
  /** Which parts beside the chunks are asked for. */
  readonly leaves: boolean;
  readonly meta: boolean;
  readonly heads: boolean;
  /** Bit i (least significant first) set = leaf i is stored and verified. */
  readonly have: Buffer;
  /** One past the last leaf that may be sent; 0 before the leaf list is proved. */
  readonly creditEnd: number;
}

const malformed = (name: string, why: string, cause?: unknown): CameraError =>
  new CameraError('sync/malformed', `${name}: ${why}`, { cause });

function parseJson(name: string, payload: Buffer): unknown {
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw malformed(name, `${payload.length} bytes are more than ${PAYLOAD_BYTES_MAX}`);
  }
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw malformed(name, 'not JSON', cause);
  }
}

/** Bytes in, message out. Throws `sync/malformed`, nothing else. */
export function decode<T>(name: string, schema: z.ZodType<T>, payload: Buffer): T {
  const result = schema.safeParse(parseJson(name, payload));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  throw malformed(name, `${path === '' ? '' : `${path}: `}${issue?.message ?? 'wrong shape'}`);
}

/** Throws `internal/bug` above `PAYLOAD_BYTES_MAX`. */
export function encode(name: string, message: object): Buffer {
  const payload = Buffer.from(JSON.stringify({ v: VERSION, ...message }), 'utf8');
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw new CameraError('internal/bug', `${name} of ${payload.length} bytes is too large`);
  }
  return payload;
}

export const encodeBirth = (birth: Birth): Buffer => encode('birth', { ...birth, proto: 1 });
export const decodeBirth = (payload: Buffer): Birth => {
  const { sid, device, boot, session, free } = decode('birth', birthSchema, payload);
  return { sid, device, boot, session, ...(free === undefined ? {} : { free }) };
};

export const encodeDeviceState = (state: DeviceState): Buffer => encode('state', state);
export const decodeDeviceState = (payload: Buffer): DeviceState => {
  const { sid, s } = decode('state', deviceStateSchema, payload);
  return { sid, s };
};

export const encodeReceiverState = (state: ReceiverState): Buffer =>
  encode('receiver state', state);
export const decodeReceiverState = (payload: Buffer): ReceiverState => {
  const { s, ts } = decode('receiver state', receiverStateSchema, payload);
  return { s, ts };
};

/** Throws `internal/bug` above `PAYLOAD_BYTES_MAX`: whoever packs an offer keeps count with `offerItemBytes`. */
export const encodeOffer = ({ sid, items, certificates }: Offer): Buffer =>
  encode('offer', {
    sid,
    items: items.map(({ key, ref, manifest }) => ({
      key,
      seg: formatSegmentRef(ref),
      man: manifest,
    })),
    certs: Object.fromEntries(certificates),
  });

/** Also throws `sync/malformed` when a key or a segment stands there twice. */
export function decodeOffer(payload: Buffer): Offer {
  const { sid, items: wire, certs } = decode('offer', offerSchema, payload);
  const items = wire.flatMap(({ key, seg, man }) => {
    const ref = parseSegmentRef(seg);
    return ref === undefined ? [] : [{ key, ref, manifest: man }];
  });
  const isUnique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
  if (!isUnique(wire.map(({ key }) => key)) || !isUnique(wire.map(({ seg }) => seg))) {
    throw malformed('offer', 'a key or a segment stands there twice');
  }
  const certificates = new Map(Object.entries(certs).map(([boot, cert]) => [Number(boot), cert]));
  return { sid, items, certificates };
}

/** What an envelope with its key and commas adds to an offer, at most. */
export const offerEntryBytes = (envelope: Envelope): number =>
  Buffer.byteLength(formatEnvelope(envelope)) + OFFER_ENTRY_OVERHEAD_BYTES;
/** Braces, names, a key of 10 digits and a reference of 32. */
const OFFER_ENTRY_OVERHEAD_BYTES = 100;
/** What is left for entries when version, sid and brackets are written. */
export const OFFER_ENTRIES_BYTES_MAX = PAYLOAD_BYTES_MAX - 200;

export const encodeWant = (want: Want): Buffer =>
  encode('want', {
    sid: want.sid,
    rx: want.rx,
    key: want.key,
    epoch: want.epoch,
    to: want.to,
    leaves: want.leaves,
    meta: want.meta,
    heads: want.heads,
    have: want.have.length === 0 ? undefined : want.have.toString('base64'),
    creditEnd: want.creditEnd,
  });

export function decodeWant(payload: Buffer): Want {
  const wire = decode('want', wantSchema, payload);
  return {
    sid: wire.sid,
    rx: wire.rx,
    key: wire.key,
    epoch: wire.epoch,
    to: wire.to,
    leaves: wire.leaves,
    meta: wire.meta ?? false,
    heads: wire.heads ?? false,
    have: Buffer.from(wire.have ?? '', 'base64'),
    creditEnd: wire.creditEnd,
  };
}

/** A receipt on the wire is its envelope in the one text form. */
export const encodeReceipt = (receipt: Envelope): Buffer =>
  Buffer.from(formatEnvelope(receipt), 'utf8');
export function decodeReceipt(payload: Buffer): Envelope {
  try {
    return parseEnvelope(payload.toString('utf8'));
  } catch (cause) {
    throw malformed('receipt', messageOf(cause), cause);
  }
}
