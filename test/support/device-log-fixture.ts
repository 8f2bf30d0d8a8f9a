import { sealCheckpoint } from '../../src/evidence/checkpoint.js';
import {
  formatEnvelope,
  formatEnvelopeFile,
  parseEnvelope,
  payloadDigest,
} from '../../src/evidence/dsse.js';
import type { Envelope } from '../../src/evidence/dsse.js';
import { sealRotation } from '../../src/evidence/key-rotation.js';
import { entryLeaf, sealEntry } from '../../src/evidence/log-entry.js';
import type { LogEntry } from '../../src/evidence/log-entry.js';
import { rootOfLeaves } from '../../src/evidence/merkle-tree.js';
import { toSpkiBase64 } from '../../src/evidence/public-key.js';
import { sealSessionKey } from '../../src/evidence/session-key.js';
import type { Signer } from '../../src/evidence/signer.js';
import { emptyTrust, withDevice } from '../../src/evidence/trust.js';
import type { Trust } from '../../src/evidence/trust.js';
import { LogVerifier } from '../../src/evidence/verify-log.js';
import type { LogVerdict, LogVerification } from '../../src/evidence/verify-log.js';
import { fastSigner } from './fast-signer.js';

export const DIGEST = 'ab'.repeat(32);

/** What differs from entry to entry; device, boot and version are the log's. */
type Fact = LogEntry extends infer E
  ? E extends LogEntry
    ? Omit<E, 'v' | 'device' | 'boot' | 'mono'>
    : never
  : never;

/** A device log that is written by hand, with every key at hand. */
export class LogFixture {
  readonly device: string;
  readonly texts: string[] = [];
  readonly sessions = new Map<number, string>();
  readonly rotations: Envelope[] = [];
  readonly firstKey: Signer;
  key: Signer;
  session: Signer = fastSigner();
  boot = 0;
  mono = 0;
  #beat = 0;

  constructor(device = 'cam-1') {
    this.device = device;
    this.firstKey = fastSigner();
    this.key = this.firstKey;
  }

  get trust(): Trust {
    return withDevice(emptyTrust(), this.device, toSpkiBase64(this.firstKey.publicKey));
  }

  /** The next boot, or that one: certificate and its two first entries. */
  start(boot = this.boot + 1): this {
    this.boot = boot;
    this.mono = 1000;
    this.#beat = 0;
    this.session = fastSigner();
    const facts = { device: this.device, boot, issuedMonoMs: 1000 };
    const certificate = sealSessionKey(facts, this.session, this.key);
    this.sessions.set(boot, formatEnvelopeFile(certificate));
    const time = { source: 'gnss', wall_ms: 1_795_000_000_000, uncertainty_ms: 1 } as const;
    this.add({ type: 'boot', fw: DIGEST, cfg: DIGEST, time });
    const spki = toSpkiBase64(this.session.publicKey);
    const cert = payloadDigest(certificate);
    return this.add({ type: 'session-key', key: this.session.keyId, spki, cert });
  }

  add(fact: Fact, afterMs = 10): this {
    this.mono += afterMs;
    const entry = {
      v: 1,
      device: this.device,
      boot: this.boot,
      mono: this.mono,
      ...fact,
    } as LogEntry;
    this.texts.push(formatEnvelope(sealEntry(entry, this.session)));
    return this;
  }

  beats(count: number, afterMs = 60_000): this {
    for (let n = 0; n < count; n += 1) {
      this.#beat += 1;
      const fact = {
        type: 'heartbeat',
        beat: this.#beat,
        mode: 'buffering',
        docked: false,
      } as const;
      this.add({ ...fact, free_bytes: 1 }, afterMs);
    }
    return this;
  }

  segment(seg: string, last = false): this {
    return this.add({ type: 'segment', seg, man: DIGEST, size: 5, root: DIGEST, last });
  }

  /** A new device key from a boot on. */
  rotate(fromBoot: number): this {
    const fresh = fastSigner();
    this.rotations.push(sealRotation(this.device, fromBoot, this.key, fresh));
    this.key = fresh;
    return this;
  }

  /** The signed head over the first `size` entries. */
  checkpoint(size = this.texts.length, keys: readonly Signer[] = [this.key]): string {
    const leaves = this.texts.slice(0, size).map((text) => entryLeaf(parseEnvelope(text)));
    return sealCheckpoint(this.device, { size, root: rootOfLeaves(Buffer.concat(leaves)) }, keys);
  }

  /** What the verifier says; by default with a checkpoint over everything. */
  verify(changes: Partial<LogVerification & { texts: readonly string[] }> = {}): LogVerdict {
    const { texts = this.texts, ...options } = changes;
    const verifier = new LogVerifier({
      trust: this.trust,
      sessions: this.sessions,
      checkpoints: [{ name: 'checkpoint', note: this.checkpoint() }],
      ...options,
    });
    for (const text of texts) verifier.push(text);
    return verifier.end();
  }
}
