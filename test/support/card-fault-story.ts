import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Camera } from '../../src/camera.js';
import type { CameraStatus } from '../../src/camera-status.js';
import { parseConfig } from '../../src/config/config.js';
import { recipientOf } from '../../src/evidence/age-recipients.js';
import { openBoard } from '../../src/hal/board.js';
import type { Board } from '../../src/hal/board.js';
import { parseBoard } from '../../src/hal/board-file.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { formatSegmentRef } from '../../src/units.js';
import type { SegmentRef } from '../../src/units.js';
import { boardDocument } from './board-document.js';
import { DEVICE, newDevice, silent } from './boot-fixture.js';
import { judge, recoverCard } from './card-fixture.js';
import { FaultyCard } from './faulty-card.js';
import type { CardFaultName } from './faulty-card.js';
import { logOf } from './shelf.js';

/** What one moment of a story looks like. */
export interface Look {
  readonly mode: string;
  /** Red, green, amber, as an eye sees them; every picture of the last eight seconds. */
  readonly lights: readonly string[];
  readonly status: CameraStatus;
}

export interface Story {
  readonly fault: CardFaultName;
  /** Up to fourteen seconds after the card broke under a running recording. */
  readonly recording: Look;
  readonly isRecording: boolean;
  /** After a hold that stops, where the recording still ran, and a press that starts. */
  readonly pressed: Look;
  readonly outcome: string;
  /** Thirty seconds after the card was mended. */
  readonly mended: Look;
  /** What a press came to then. */
  readonly again: string;
  /** Codes of faults in the log, with how often; those that came late with an asterisk. */
  readonly logged: readonly string[];
  readonly lateEntries: number;
  /** Edges of the record button that happened, and those of them that are in the log. */
  readonly edges: { readonly happened: number; readonly logged: number };
  /** Segments that were sealed while the camera ran, and what became of each. */
  readonly sealed: number;
  readonly lost: readonly string[];
  /** Ways in which recordings ended, by the manifests. */
  readonly endings: readonly string[];
  /** Seconds of footage in segments that verify. */
  readonly seconds: number;
}

const CARD_SETTINGS = {
  ...{ deviceId: DEVICE, preEventMs: 2000, segmentMs: 5000 },
  ...{ reserveBytes: 256 * 1024 * 1024, reservePercent: 0 },
};
const TICKS = 90_000;

/** A camera on a card that can be broken, with a hand at its button. */
class Stage {
  readonly clock = new SimClock();
  readonly fs = new SimFileSystem();
  readonly card = new FaultyCard(this.fs, this.clock);
  readonly device = newDevice();
  readonly outcomes: string[] = [];
  readonly sealed: string[] = [];
  edges = 0;
  #camera: Camera | undefined;
  #board: Board | undefined;

  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  get camera(): Camera {
    if (this.#camera === undefined) throw new Error('not open');
    return this.#camera;
  }

  async open(): Promise<void> {
    const { clock, fs, device, directory } = this;
    await mkdir(directory, { recursive: true });
    await fs.makeDirectory(directory);
    const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'test.json'), {
      ...{ clock, log: silent, footageDirectory: '/footage' },
      files: { exists: () => Promise.resolve(true) },
    });
    this.#board = board;
    this.#camera = await Camera.open(
      board,
      fs,
      silent,
      {
        config: parseConfig({ ...CARD_SETTINGS, recipients: [recipientOf(device.identity)] }),
        ...{ card: directory, bootFile: path.join(directory, 'boot') },
        ...{ deviceKey: device.deviceKey, wrapDatabase: this.card.wrapDatabase },
        ...{ configDigest: '0'.repeat(64), firmwareDigest: '0'.repeat(64) },
      },
      {
        pressDecided: (outcome, origin) => {
          if (origin === 'record') this.outcomes.push(outcome);
        },
        segmentSealed: ({ rec, seq }) => this.sealed.push(`1/${rec}/${seq}`),
      },
    );
    this.camera.start();
    await clock.advance(10_000);
  }

  /** Presses for so long, and says what it came to; `nothing` for an edge that the log did not take. */
  async press(heldMs = 200): Promise<string> {
    const before = this.outcomes.length;
    for (const [isPressed, wait] of [
      [true, heldMs],
      [false, 3500],
    ] as const) {
      this.edges += 1;
      this.camera.recorder.edge({ button: 'record', isPressed, at: this.clock.monotonicMs() });
      await this.clock.advance(wait);
    }
    return this.outcomes.slice(before).find((it) => it !== 'released') ?? 'refused, unlogged';
  }

  /** Lets eight seconds pass, and says what there was to see. */
  async look(): Promise<Look> {
    const lights = new Set<string>();
    for (let second = 0; second < 8; second += 1) {
      await this.clock.advance(1000);
      const { record, status, fault } = this.#board?.sim?.state().lights ?? {};
      lights.add([record, status, fault].join(', '));
    }
    const status = await this.camera.status();
    return { mode: status.recorder.mode, lights: [...lights].sort(), status };
  }

  async close(): Promise<void> {
    const closed = this.camera.close();
    await this.clock.advance(20_000);
    await closed;
    await this.#board?.close();
  }
}

/** Breaks the card under a running recording, mends it, and looks what is left of everything. */
export async function tellStory(directory: string, fault: CardFaultName): Promise<Story> {
  const stage = new Stage(directory);
  await stage.open();
  await stage.press();
  await stage.clock.advance(9000);
  await stage.card.break(fault);
  await stage.clock.advance(6000);
  const recording = await stage.look();
  const isRecording = stage.camera.recorder.status().rec !== null;
  if (isRecording) await stage.press(3100);
  await stage.clock.advance(10_000);
  const outcome = await stage.press();
  await stage.clock.advance(4000);
  const pressed = await stage.look();
  stage.card.mend();
  await stage.clock.advance(30_000);
  const mended = await stage.look();
  const again = await stage.press();
  await stage.clock.advance(12_000);
  await stage.press(3100);
  await stage.close();
  const after = { ...{ fault, recording, isRecording, pressed, outcome, mended, again } };
  return { ...after, ...(await whatIsLeft(stage)) };
}

async function whatIsLeft({ directory, device, fs, sealed, edges }: Stage) {
  const db = openDatabase(path.join(directory, 'lapel.db'));
  try {
    const log = logOf(db);
    await recoverCard({ device, fs, db, boot: 2, card: directory });
    const lost: string[] = [];
    const endings = new Set<string>();
    let seconds = 0;
    const rows = rowsOf(db);
    for (const ref of rows) {
      const { state, manifest } = await judge(fs, directory, device, ref);
      const name = formatSegmentRef(ref);
      if (sealed.includes(name) && state !== 'ok') lost.push(`${name} ${state}`);
      if (state === 'not-ok' || manifest === undefined) continue;
      if (manifest.end !== 'normal') endings.add(manifest.end);
      seconds += manifest.media.duration90k / TICKS;
    }
    const known = new Set(rows.map(formatSegmentRef));
    lost.push(...sealed.filter((name) => !known.has(name)).map((name) => `${name} unknown`));
    const pressed = log.flatMap((entry) =>
      entry.type === 'press' && entry.button === 'record' && entry.outcome === null ? [1] : [],
    );
    return {
      logged: faultsOf(log),
      lateEntries: log.filter(({ late }) => late !== undefined).length,
      edges: { happened: edges, logged: pressed.length },
      sealed: sealed.length,
      lost,
      endings: [...endings],
      seconds: Math.round(seconds),
    };
  } finally {
    db.close();
  }
}

const rowsOf = (db: Database): readonly SegmentRef[] =>
  db.all('SELECT boot, rec, seq FROM segments ORDER BY boot, rec, seq').map((row) => ({
    boot: Number(row['boot']),
    rec: Number(row['rec']),
    seq: Number(row['seq']),
  }));

function faultsOf(log: ReturnType<typeof logOf>): readonly string[] {
  const counts = new Map<string, number>();
  for (const entry of log) {
    if (entry.type !== 'fault') continue;
    const name = `${entry.code}${entry.late === undefined ? '' : '*'}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${name} ${count}`).sort();
}
