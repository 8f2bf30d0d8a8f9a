import type { Cancel, WallTime } from '../clock.js';
import { parseEnvelope, payloadDigest } from '../evidence/dsse.js';
import type { Receipt } from '../evidence/receipt.js';
import { CameraError, isCameraError, messageOf } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import { lifeOf } from './catalog.js';
import type { Catalog, CatalogRow, Hold } from './catalog.js';
import { Deletion } from './deletion.js';
import type { RemovalRight, TrustedReceiver } from './deletion.js';
import type { DeviceLog } from './device-log.js';
import { tellFault } from './fault.js';
import { planRetention } from './retention-plan.js';
import type { PlannedDeletion, RetentionPlan } from './retention-plan.js';
import { stepLife } from './segment-life.js';
import type { DeletionCause, LifeEvent, SegmentLife } from './segment-life.js';

/** Footage ages by the hour; what needs the space sooner says so. */
const LOOK_PERIOD_MS = 60_000;
/** Deletions of one look, each two entries of the log and two syncs: about a second, then the others have their turn. */
const DELETIONS_PER_LOOK = 16;

export interface RetentionOptions {
  /** Without it nothing is ever deleted, only planned. */
  readonly removal: RemovalRight | undefined;
  readonly receivers: readonly TrustedReceiver[];
  /** How long footage stays after its receipt; undefined for as long as there is room. */
  readonly retainMs: number | undefined;
  /** With less than that free, what may go goes. */
  readonly wantedFreeBytes: number;
  readonly wallTime: () => WallTime;
}

/** The signed document that asked for a hold or its end; nulls when none did. */
export interface HoldRequest {
  readonly key: string | null;
  readonly nonce: string | null;
}

const BY_HAND: HoldRequest = { key: null, nonce: null };

/**
 * Frees the space of footage that is safe elsewhere, and of nothing else. `planRetention` decides what may go,
 * `stepLife` what is entered, `Deletion` checks the receipt once more and removes.
 *
 * INVARIANTS
 * 1. Two phases: `deletable` is durable in log and catalog before the first file goes, and `deleted` comes after the last
 *    is durably gone. What a cut or a failing card leaves in between is finished, or taken back while it is whole.
 * 2. Holds, their end and deletions are one after the other: from the moment a hold is durable nothing of it begins to go.
 * 3. Nothing is deleted before recovery is through.
 */
export class Retention {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #options: RetentionOptions;
  readonly #deletion: Deletion | undefined;
  /** Segments whose receipt does not hold, each told when it was found. */
  readonly #unsound = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();
  #looking: Promise<void> | undefined;
  #isOpen = false;
  #isAgain = false;
  #hasFailed = false;
  #cancel: Cancel = () => undefined;

  constructor(ctx: BootContext, catalog: Catalog, log: DeviceLog, options: RetentionOptions) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#options = options;
    const { removal, receivers } = options;
    this.#deletion = removal && new Deletion(removal, ctx, receivers);
  }

  /** Looks at once and every minute from when recovery is through. Without a recovery nothing is deleted. Once. */
  start(recovered: Promise<unknown>): void {
    this.#isOpen = true;
    recovered.then(
      () => {
        if (!this.#isOpen) return;
        this.#cancel = this.#ctx.clock.every(LOOK_PERIOD_MS, () => void this.look());
        void this.look();
      },
      () => {
        this.#isOpen = false;
      },
    );
  }

  /** No deletion begins any more; resolves when the one under way is done. Never rejects. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#cancel();
    await this.#looking;
    await this.#last;
  }

  /** Deletes what may go now, at most so much. Never rejects; a card that does not give way is told once. */
  look(): Promise<void> {
    if (this.#looking !== undefined) {
      this.#isAgain = true;
      return this.#looking;
    }
    this.#looking = this.#lookOnce().finally(() => {
      this.#looking = undefined;
      const isAgain = this.#isAgain;
      this.#isAgain = false;
      if (isAgain && this.#isOpen) void this.look();
    });
    return this.#looking;
  }

  /**
   * Keeps a recording (`<boot>/<rec>`) or a segment of it from being deleted, until the same `by` releases it. Durable
   * when it resolves; does nothing when it is held so already. Rejects with `storage/not-found`, and with the errors of
   * the log.
   */
  hold(hold: Hold, request: HoldRequest = BY_HAND): Promise<void> {
    return this.#enqueue(async () => {
      const { target, by, reason } = hold;
      if (!this.#catalog.knows(target)) {
        throw new CameraError('storage/not-found', `this card has had no ${target}`);
      }
      if (this.#isHeldBy(hold)) return;
      await this.#log.append({ type: 'hold', target, by, reason, ...request }, () => {
        this.#catalog.hold(hold);
      });
    });
  }

  /** Ends the hold of the same `by` and target; does nothing when there is none. Rejects with the errors of the log. */
  release({ target, by, reason }: Hold, request: HoldRequest = BY_HAND): Promise<void> {
    return this.#enqueue(async () => {
      if (!this.#isHeldBy({ target, by })) return;
      await this.#log.append({ type: 'release', target, by, reason, ...request }, () => {
        this.#catalog.release(target, by);
      });
    });
  }

  holds(): readonly Hold[] {
    return this.#catalog.holds();
  }

  /** What may go now and why the rest stays; nothing is done. */
  plan(freeBytes: number): RetentionPlan {
    const segments = this.#catalog.onCard().map((segment) => {
      // Whatever the catalog has for a receipt, it is none.
      const isUnsound = this.#unsound.has(formatSegmentRef(segment.ref));
      return isUnsound ? ({ ...segment, stage: 'offered' } as const) : segment;
    });
    const { retainMs, wantedFreeBytes } = this.#options;
    return planRetention(segments, {
      retainMs,
      wantedFreeBytes,
      freeBytes,
      wallMs: this.#wallMs(),
    });
  }

  #isHeldBy({ target, by }: Pick<Hold, 'target' | 'by'>): boolean {
    return this.#catalog.holds().some((hold) => hold.target === target && hold.by === by);
  }

  /** The earliest that it can be now. A clock that nobody has set says nothing. */
  #wallMs(): number | undefined {
    const { ms, source, uncertaintyMs } = this.#options.wallTime();
    return source === 'unset' ? undefined : ms - uncertaintyMs;
  }

  async #lookOnce(): Promise<void> {
    const deletion = this.#deletion;
    if (deletion === undefined || !this.#isOpen) return;
    try {
      for (const row of this.#catalog.deletable()) {
        await this.#enqueue(() => this.#finish(deletion, row));
      }
      const free = await this.#ctx.fs.freeBytes(this.#ctx.layout.root);
      const { deletions } = this.plan(free);
      for (const planned of deletions.slice(0, DELETIONS_PER_LOOK)) {
        await this.#enqueue(() => this.#delete(deletion, planned));
      }
      this.#isAgain ||= deletions.length > DELETIONS_PER_LOOK;
      this.#hasFailed = false;
    } catch (error) {
      await this.#tellFailed(error);
    }
  }

  async #delete(deletion: Deletion, { ref, cause }: PlannedDeletion): Promise<void> {
    const row = this.#catalog.find(ref);
    // A hold may have come since the plan was made.
    if (!this.#isOpen || row?.stage !== 'receipted' || this.#catalog.isHeld(ref)) return;
    const receipt = await this.#soundReceipt(deletion, row);
    if (receipt === undefined || !this.#isDue(cause, receipt)) return;
    await this.#apply(row, { type: 'allowed', cause });
    await this.#remove(deletion, ref);
  }

  /** The signed time counts, not the one in the catalog. */
  #isDue(cause: DeletionCause, { ts }: Receipt): boolean {
    if (cause === 'space') return true;
    const [now, { retainMs }] = [this.#wallMs(), this.#options];
    return now !== undefined && retainMs !== undefined && now - ts >= retainMs;
  }

  /** What a cut or a failing card has left of a deletion. */
  async #finish(deletion: Deletion, { ref }: CatalogRow): Promise<void> {
    const row = this.#catalog.find(ref);
    if (!this.#isOpen || row?.stage !== 'deletable') return;
    if (!(await deletion.hasBegun(row))) {
      const isHeld = this.#catalog.isHeld(ref);
      if (isHeld || (await this.#soundReceipt(deletion, row)) === undefined) {
        await this.#apply(row, { type: 'withdrawn', why: isHeld ? 'hold' : 'receipt' });
        return;
      }
    }
    await this.#remove(deletion, ref);
  }

  async #remove(deletion: Deletion, ref: SegmentRef): Promise<void> {
    const row = this.#catalog.find(ref);
    if (row?.stage !== 'deletable') return;
    await deletion.remove(row);
    await this.#apply(row, { type: 'removed' });
  }

  async #apply(row: CatalogRow, event: LifeEvent): Promise<void> {
    const receipt = row.receipt === undefined ? undefined : digestOf(row.receipt);
    const { state, effects } = stepLife(lifeOf(row, receipt), event);
    for (const effect of effects) {
      if (effect.type !== 'log') continue;
      await this.#log.append(effect.fact, () => {
        this.#enterStage(state);
      });
    }
  }

  #enterStage({ ref, stage }: SegmentLife): void {
    if (stage === 'sealed' || stage === 'offered') return;
    this.#catalog.setStage(ref, stage);
  }

  /** Undefined for one that does not hold: told once, and the segment stays. Rejects when the card does not answer. */
  async #soundReceipt(deletion: Deletion, row: CatalogRow): Promise<Receipt | undefined> {
    try {
      return await deletion.check(row);
    } catch (error) {
      if (!isCameraError(error)) throw error;
      const isUnsound = error.code.startsWith('evidence/') || error.code === 'storage/not-found';
      if (!isUnsound) throw error;
      const name = formatSegmentRef(row.ref);
      this.#unsound.add(name);
      await this.#tell(error, `${name} has no receipt that counts and is kept`);
      return undefined;
    }
  }

  async #tellFailed(error: unknown): Promise<void> {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    await this.#tell(error, 'space could not be freed');
  }

  async #tell(error: unknown, what: string): Promise<void> {
    const code = isCameraError(error) ? error.code : 'internal/bug';
    try {
      await tellFault(this.#ctx.log, this.#log, code, what, error);
    } catch (cause) {
      // Most likely: it is the log itself that takes nothing.
      this.#ctx.log.error({ error: messageOf(cause) }, 'a fault could not be told');
    }
  }

  #enqueue<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    // A failure reaches its caller; those behind it still get their turn.
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const digestOf = (receipt: string): string => payloadDigest(parseEnvelope(receipt));
