import type { WallTime } from '../../clock.js';
import { hasErrorCode, messageOf } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import { readCommand } from '../../evidence/command.js';
import { MEDIA_TYPES } from '../../evidence/documents.js';
import { openEnvelope } from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import { openPeerNotice } from '../../evidence/peer-notice.js';
import { keyIdOf } from '../../evidence/public-key.js';
import { openSessionKey } from '../../evidence/session-key.js';
import type { FleetKey } from '../../evidence/trust.js';
import type { TriggerFact } from '../ports.js';
import {
  COMMAND_BYTES_MAX,
  PEER_NOTICE_BYTES_MAX,
  decodeCommand,
  decodePeerNotice,
} from '../trigger-messages.js';

/** A command must reach its camera within minutes; what may live longer could be kept back and used later. */
export const COMMAND_LIFE_MS_MAX = 600_000;
/** A start that is told later than this is no help any more: the pre-event does not reach back to it. */
export const PEER_LIFE_MS_MAX = 10_000;
/** Two clocks that both follow network time differ by less. */
export const CLOCK_SKEW_MS = 2_000;
/** How much of the uncertainty of a clock is allowed for, each of both: a clock chip is 4 s a day. */
export const UNCERTAINTY_MS_MAX = 30_000;

export type TriggerCode = Extract<ErrorCode, `trigger/${string}`>;

/** Whom and what a camera obeys. */
export interface TriggerPolicy {
  readonly device: string;
  readonly obeysCommands: boolean;
  readonly followsPeers: boolean;
  readonly fleet: readonly FleetKey[];
  /** Cameras that are listened to, with their device keys. */
  readonly peers: readonly { readonly device: string; readonly publicKey: Buffer }[];
  /** Keys that are known for something else, as those of receivers. */
  readonly otherKeys: readonly Buffer[];
}

/** What is to be said of a message: taken when `code` is undefined, but for its nonce. */
export interface TriggerVerdict {
  readonly fact: TriggerFact;
  readonly code: TriggerCode | undefined;
  /** Why, in words. */
  readonly detail: string;
}

interface Validity {
  readonly issued: number;
  readonly expires: number;
}

const nothingKnown = { op: null, by: null, key: null, nonce: null } as const;

const verdict = (fact: TriggerFact, code?: TriggerCode, detail = ''): TriggerVerdict => ({
  fact,
  code,
  detail,
});

/**
 * What a message on the camera's command topic is worth: a start that a fleet key with the role `command` signed for this
 * camera, within its time, where policy allows it. Never throws, whatever the bytes.
 */
export function judgeCommand(
  payload: Buffer,
  policy: TriggerPolicy,
  now: WallTime,
): TriggerVerdict {
  const stranger: TriggerFact = { kind: 'command', ...nothingKnown };
  if (payload.length > COMMAND_BYTES_MAX) {
    return verdict(stranger, 'trigger/too-large', `${payload.length} bytes`);
  }
  const envelope = attempt(() => decodeCommand(payload));
  if (envelope.value === undefined) return verdict(stranger, 'trigger/unsigned', envelope.why);
  const command = attempt(() => readCommand(envelope.value));
  const key = envelope.value.signatures[0]?.keyid ?? null;
  const said: TriggerFact = {
    ...stranger,
    key,
    op: command.value?.op ?? null,
    nonce: command.value?.nonce ?? null,
  };
  const signer = judgeSigners(envelope.value, policy);
  const fact: TriggerFact = { ...said, by: signer.by };
  if (signer.code !== undefined) return verdict(fact, signer.code, signer.detail);
  if (command.value === undefined) return verdict(fact, 'trigger/malformed', command.why);
  const { op, target } = command.value;
  if (target.device !== policy.device) {
    return verdict(fact, 'trigger/other-device', `it is for ${target.device}`);
  }
  const late = judgeTime(command.value, COMMAND_LIFE_MS_MAX, now, 0);
  if (late !== undefined) return verdict(fact, ...late);
  if (op !== 'start') return verdict(fact, 'trigger/forbidden', `${op} is never taken`);
  if (!policy.obeysCommands) return verdict(fact, 'trigger/forbidden', 'remoteStart is off');
  return verdict(fact);
}

/** Every signature must be of a fleet key with the role; the first names who it was. */
function judgeSigners(
  envelope: Envelope,
  { fleet, peers, otherKeys }: TriggerPolicy,
): { readonly by: string | null; readonly code?: TriggerCode; readonly detail: string } {
  const ids = envelope.signatures.map(({ keyid }) => keyid);
  const known = new Map(fleet.map((entry) => [keyIdOf(entry.publicKey), entry]));
  const others = [...peers.map(({ publicKey }) => publicKey), ...otherKeys];
  const keys = [...fleet.map(({ publicKey }) => publicKey), ...others];
  const isKnown = (id: string): boolean => keys.some((publicKey) => keyIdOf(publicKey) === id);
  const unknown = ids.find((id) => !isKnown(id));
  if (unknown !== undefined) {
    return { by: null, code: 'trigger/unknown-key', detail: `key ${unknown}` };
  }
  if (envelope.payloadType !== MEDIA_TYPES.command) {
    return { by: null, code: 'trigger/malformed', detail: envelope.payloadType };
  }
  const opened = attempt(() => openEnvelope(envelope, MEDIA_TYPES.command, keys));
  if (opened.value === undefined) return { by: null, code: 'trigger/unsigned', detail: opened.why };
  const by = known.get(ids[0] ?? '')?.id ?? null;
  const mayNot = ids.find((id) => known.get(id)?.roles.includes('command') !== true);
  if (mayNot === undefined) return { by, detail: '' };
  return { by, code: 'trigger/wrong-role', detail: `key ${mayNot}` };
}

/**
 * What a notice under the name of another camera is worth: signed by a session key that the device key of that camera
 * certified, fresh, where policy follows peers. Never throws, whatever the bytes.
 */
export function judgePeer(
  sender: string,
  payload: Buffer,
  policy: TriggerPolicy,
  now: WallTime,
): TriggerVerdict {
  const stranger: TriggerFact = { kind: 'peer', ...nothingKnown };
  if (payload.length > PEER_NOTICE_BYTES_MAX) {
    return verdict(stranger, 'trigger/too-large', `${payload.length} bytes`);
  }
  const peer = policy.peers.find(({ device }) => device === sender);
  if (peer === undefined) return verdict(stranger, 'trigger/unknown-key', `camera ${sender}`);
  const signed = attempt(() => decodePeerNotice(payload));
  if (signed.value === undefined) return verdict(stranger, 'trigger/unsigned', signed.why);
  const { cert, doc } = signed.value;
  const keyed: TriggerFact = { ...stranger, key: doc.signatures[0]?.keyid ?? null };
  const session = attempt(() => openSessionKey(cert, peer.publicKey));
  if (session.value === undefined) return verdict(keyed, 'trigger/unknown-key', session.why);
  const { certificate, publicKey } = session.value;
  const notice = attempt(() => openPeerNotice(doc, publicKey));
  if (notice.value === undefined) {
    const code = notice.isSignature ? 'trigger/unsigned' : 'trigger/malformed';
    return verdict(keyed, code, notice.why);
  }
  const { device, boot, event: op, nonce, uncertainty_ms: uncertaintyMs } = notice.value;
  const fact: TriggerFact = { ...keyed, op, by: sender, nonce };
  if (device !== sender || certificate.device !== sender || certificate.boot !== boot) {
    return verdict(fact, 'trigger/malformed', 'it names another camera or boot');
  }
  const late = judgeTime(notice.value, PEER_LIFE_MS_MAX, now, uncertaintyMs);
  if (late !== undefined) return verdict(fact, ...late);
  if (!policy.followsPeers) return verdict(fact, 'trigger/forbidden', 'peerStart follows nobody');
  return verdict(fact);
}

/** Whether a document counts now, as far as both clocks can say. */
function judgeTime(
  { issued, expires }: Validity,
  lifeMsMax: number,
  now: WallTime,
  theirUncertaintyMs: number,
): [TriggerCode, string] | undefined {
  if (now.source === 'unset') return ['trigger/no-time', 'the clock of the camera is not set'];
  if (expires <= issued || expires - issued > lifeMsMax) {
    return [
      'trigger/malformed',
      `it lives ${expires - issued} ms, at most ${lifeMsMax} are allowed`,
    ];
  }
  const slackMs =
    CLOCK_SKEW_MS +
    Math.min(now.uncertaintyMs, UNCERTAINTY_MS_MAX) +
    Math.min(theirUncertaintyMs, UNCERTAINTY_MS_MAX);
  if (now.ms < issued - slackMs) return ['trigger/early', `by ${Math.round(issued - now.ms)} ms`];
  if (now.ms > expires + slackMs) {
    return ['trigger/expired', `${Math.round(now.ms - expires)} ms ago`];
  }
  return undefined;
}

type Attempt<T> =
  | { readonly value: T; readonly why: ''; readonly isSignature: false }
  | { readonly value: undefined; readonly why: string; readonly isSignature: boolean };

/** What a parser gave, or why it refused; a bug passes through. */
function attempt<T>(parse: () => T): Attempt<T> {
  try {
    return { value: parse(), why: '', isSignature: false };
  } catch (error) {
    const isSignature = hasErrorCode(error, 'evidence/bad-signature');
    const isRefusal =
      isSignature ||
      hasErrorCode(error, 'evidence/malformed') ||
      hasErrorCode(error, 'sync/malformed');
    if (!isRefusal) throw error;
    return { value: undefined, why: messageOf(error), isSignature };
  }
}
