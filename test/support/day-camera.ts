import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Camera } from '../../src/camera.js';
import { readConfigFile } from '../../src/cli/config-file.js';
import { dataPaths } from '../../src/cli/paths.js';
import { openBoard } from '../../src/hal/board.js';
import { parseBoard } from '../../src/hal/board-file.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { openMachine } from '../../src/hal/machine.js';
import { createLogger } from '../../src/log.js';
import { KeyFile } from '../../src/storage/keys.js';
import { CONFIG_DIGEST, FIRMWARE_DIGEST } from './boot-fixture.js';
import { boardDocument, withValue } from './board-document.js';

// One life of a whole camera: `day-camera.js DATA BROKER SEED`. Hands at random, with that seed, record, mark, stop, dock and
// undock until it is killed. Says what it knows, a JSON line each, after the fact. With `look` for a seed it only starts,
// recovers and ends.

export type DaySaid =
  | {
      readonly said: 'boot';
      readonly boot: number;
      readonly segments: number;
      readonly receipted: number;
    }
  | {
      readonly said: 'recovered';
      readonly done: number;
      readonly failed: number;
      readonly missing: number;
      readonly afterMs: number;
    }
  | { readonly said: 'buffering'; readonly afterMs: number }
  /** A hand is about to press: two edges. */
  | { readonly said: 'hand' }
  | { readonly said: 'decided'; readonly outcome: string }
  | { readonly said: 'started'; readonly rec: number }
  | { readonly said: 'sealed'; readonly rec: number; readonly seq: number }
  | { readonly said: 'phase'; readonly phase: string };

/** The reserve of the day's cameras. */
const DAY_RESERVE_BYTES = 256 * 1024 * 1024;

const STDOUT = 1;
/** Nobody lives that long here. */
const HANGS_MS = 60_000;
const SEGMENT_MS = 1000;
const STOP_HOLD_MS = 300;
/** 60 kB a picture group of a third of a second: 1.4 Mbit/s. */
const UNIT_BYTES = 4500;
const GOP_FRAMES = 10;
/** Minutes of footage, less than an hour of it. */
const ROOM_BYTES = 64 * 1024 * 1024;

const say = (fact: DaySaid): void => void writeSync(STDOUT, `${JSON.stringify(fact)}\n`);

/**
 * A card with room to record and too little for the hour to come: what has a receipt goes as soon as it may. Or one with room
 * for all of it.
 */
class DayFileSystem extends NodeFileSystem {
  readonly #isTight: boolean;

  constructor(isTight: boolean) {
    super();
    this.#isTight = isTight;
  }

  override freeBytes(directory: string): Promise<number> {
    return this.#isTight
      ? Promise.resolve(DAY_RESERVE_BYTES + ROOM_BYTES)
      : super.freeBytes(directory);
  }
}

type Hands = (...words: readonly string[]) => Promise<void>;

async function openDayCamera(
  data: string,
  brokerUrl: string,
  isTight: boolean,
): Promise<{ camera: Camera; hands: Hands }> {
  const { clock, remover } = openMachine();
  const fs = new DayFileSystem(isTight);
  const log = createLogger('error', process.stderr);
  const document = withValue(boardDocument(), 'camera.gopFrames', GOP_FRAMES);
  const file = parseBoard(JSON.stringify(withValue(document, 'camera.width', 320)), 'day.json');
  // Synthetic pictures have no size of their own in a board file.
  const camera = { ...file.camera, unitBytes: UNIT_BYTES };
  const board = await openBoard(
    { ...file, camera },
    {
      ...{ clock, log, footageDirectory: '/footage' },
      files: { exists: () => Promise.resolve(true) },
    },
  );
  const paths = dataPaths(data);
  const config = await readConfigFile(fs, paths.config);
  const opened = await Camera.open(
    board,
    fs,
    log,
    {
      // Shorter than any setting may be: a life of two seconds has to see a seam.
      config: { ...config, brokerUrl, segmentMs: SEGMENT_MS, stopHoldMs: STOP_HOLD_MS },
      ...{ card: paths.card, bootFile: paths.bootFile },
      deviceKey: await new KeyFile(fs, paths.deviceKey).load(),
      ...{ configDigest: CONFIG_DIGEST, firmwareDigest: FIRMWARE_DIGEST, removal: remover },
    },
    {
      modeChanged: (mode) => {
        if (mode === 'buffering') say({ said: 'buffering', afterMs: performance.now() });
      },
      pressDecided: (outcome) => {
        say({ said: 'decided', outcome });
      },
      recordingStarted: ({ rec }) => {
        say({ said: 'started', rec });
      },
      segmentSealed: ({ rec, seq }) => {
        say({ said: 'sealed', rec, seq });
      },
      onPhase: (phase) => {
        say({ said: 'phase', phase });
      },
    },
  );
  const hands: Hands = async (...words) => {
    if (words[0] === 'press' || words[0] === 'hold') say({ said: 'hand' });
    await board.control?.run(words);
  };
  return { camera: opened, hands };
}

/** Until somebody kills this process. */
async function live(camera: Camera, hands: Hands, random: () => number): Promise<void> {
  const between = (from: number, to: number): number => from + random() * (to - from);
  // A life in three is spent in the dock.
  if (random() < 1 / 3) {
    await hands('dock');
    await sleep(HANGS_MS);
  }
  for (;;) {
    const dice = random();
    const isRecording = camera.recorder.status().rec !== null;
    if (dice < 0.05) {
      await hands('dock');
      await sleep(between(50, 600));
      await hands('undock');
    } else if (dice < 0.1) await sleep(between(10, 600));
    else if (!isRecording || dice < 0.6) await hands('press', 'record');
    else if (dice < 0.8) await sleep(between(100, 900));
    else await hands('hold', 'record', `${STOP_HOLD_MS + 100}ms`);
    await sleep(between(1, 100));
  }
}

/** Enough of a generator for hands. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

const [data = '', broker = '', seed = ''] = process.argv.slice(2);
const alive = setInterval(() => undefined, 1000);
const random = dice(Number(seed));
// Two cards in three are tight. Whoever only looks frees nothing more than what had begun to go.
const { camera, hands } = await openDayCamera(data, broker, seed !== 'look' && random() < 2 / 3);
const { segments, receipted, deletedSegments } = camera.card.totals();
// What was deleted had a receipt.
say({ said: 'boot', boot: camera.card.boot, segments, receipted: receipted + deletedSegments });
const recovery = camera.card.recovered.then(
  ({ recovered, indexed, quarantined, failed, missing }) => {
    const done = recovered.length + indexed + quarantined.length;
    const facts = { done, failed: failed.length, missing: missing.length };
    say({ said: 'recovered', ...facts, afterMs: performance.now() });
  },
);
camera.start();
if (seed === 'look') {
  await recovery;
  await camera.close();
  clearInterval(alive);
  process.exit(0);
}
await live(camera, hands, random);
