import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../../src/errors.js';
import { newDevice } from '../../support/boot-fixture.js';
import type { DeviceFixture } from '../../support/boot-fixture.js';
import { CardCheck, logOf } from './check-card.js';
import { CUT_MODES, CrashDisk, chooseCuts } from './crash-image.js';
import type { CutMode } from './crash-image.js';
import {
  CARD_MOUNT_OPTIONS,
  NotMountable,
  makeFileSystem,
  repair,
  withLoggedDisk,
  withMounted,
} from './mounts.js';
import { randomFrom } from '../../support/random.js';
import type { Said } from './said.js';
import { scenarios } from './scenarios.js';
import type { Scenario } from './scenarios.js';
import { readWriteLog } from './write-log.js';
import type { DiskRequest } from './write-log.js';

// `npm run powercut -- [--points 100] [--seed N] [--only NAME]`: scenarios on a real ext4 whose disk is logged, cut at so
// many moments in each mode. Then the disk without barriers, and the disk that forgets its flushes, must lose something.
// Ends with 1 when anything is lost, or when a control loses nothing. Failed disks are kept in build/powercut.

/** A few seconds of footage and a journal of 4 MiB. Each crash point copies all of it. */
const CARD_MIB = 16;
const TOLD_MAX = 3;
const CONTROL_POINTS_MIN = 10;

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e9)}` },
    only: { type: 'string' },
  },
});
const points = Number(values.points);
const seed = Number(values.seed);
const work = process.env['POWERCUT_WORK'];
const isKnown = values.only === undefined || scenarios.some(({ name }) => name === values.only);
if (work === undefined || !(points >= 1) || !Number.isInteger(seed) || !isKnown) {
  process.stderr.write('usage: test/rig/run-powercut.sh [--points N] [--seed N] [--only NAME]\n');
  process.exit(2);
}
const directory = work;
const keep = path.resolve('build/powercut');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A card that was written to, and all that its disk was asked for meanwhile. */
interface Recorded {
  readonly name: string;
  readonly device: DeviceFixture;
  readonly base: Buffer;
  readonly requests: readonly DiskRequest[];
  /** What had been promised before. */
  readonly before: readonly Said[];
  readonly log: ReturnType<typeof logOf>;
  readonly isDeleting: boolean;
}

async function record(scenario: Scenario, options = CARD_MOUNT_OPTIONS): Promise<Recorded> {
  const at = (name: string): string => path.join(directory, name);
  const device = newDevice();
  const before: Said[] = [];
  makeFileSystem(at('base.img'), CARD_MIB);
  const place = at('card');
  const card = path.join(place, 'card');
  await withMounted(at('base.img'), place, CARD_MOUNT_OPTIONS, () => {
    mkdirSync(card);
    return scenario.prepare({ card, device, say: (fact) => before.push(fact) });
  });
  const base = readFileSync(at('base.img'));
  const log = await withLoggedDisk(at('base.img'), at('log'), at('disk'), (disk) =>
    withMounted(disk.image, place, options, async () => {
      const mark = openSync(disk.mark, 'r+');
      const tell = (fact: Said): void => void writeSync(mark, JSON.stringify(fact));
      tell({ said: 'begin' });
      await scenario.run({ card, device, say: tell, isDeleting: scenario.isDeleting === true });
      closeSync(mark);
      return logOf(card);
    }),
  );
  const requests = readWriteLog(at('log'));
  const { name, isDeleting = false } = scenario;
  return { name, device, base, requests, before, log, isDeleting };
}

interface Tally {
  readonly failures: number;
  readonly lostMs: number;
  /** Segments that were cut, over all points, and file systems that needed e2fsck. */
  readonly recovered: number;
  readonly repairs: number;
  readonly ms: number;
}

async function cutOften(
  recorded: Recorded,
  mode: CutMode,
  options: { points: number; isControl?: boolean; ignoresFlushes?: boolean },
): Promise<Tally> {
  const { requests, name } = recorded;
  const random = randomFrom(seed + CUT_MODES.indexOf(mode) * 7919);
  const disk = new CrashDisk(recorded.base, requests, options.ignoresFlushes);
  const started = performance.now();
  let failures = 0;
  let lostMs = 0;
  let recovered = 0;
  let repairs = 0;
  for (const cut of chooseCuts(requests, mode, options.points, random)) {
    const image = disk.after(cut, mode, random);
    const verdict = await checkImage(recorded, image, cut);
    recovered += verdict.recovered;
    repairs += verdict.repairs;
    if (verdict.problems.length === 0) lostMs = Math.max(lostMs, verdict.lostMs);
    else {
      failures += 1;
      if (options.isControl === true || failures > TOLD_MAX) continue;
      mkdirSync(keep, { recursive: true });
      const file = path.join(keep, `${name}-${mode}-${cut}.img`);
      writeFileSync(file, image);
      say(`FAILED ${name} ${mode} at request ${cut}, seed ${seed}, disk in ${file}`);
      for (const problem of verdict.problems.slice(0, TOLD_MAX)) say(`  ${problem}`);
    }
  }
  return {
    failures,
    lostMs,
    recovered,
    repairs,
    ms: (performance.now() - started) / options.points,
  };
}

async function checkImage(recorded: Recorded, image: Buffer, cut: number) {
  const said = recorded.requests
    .slice(0, cut + 1)
    .flatMap((request) => (request.kind === 'mark' ? [request.said] : []));
  const file = path.join(directory, 'crash.img');
  const place = path.join(directory, 'crash');
  // Over the one before: pages of memory that are there already.
  const fd = openSync(file, existsSync(file) ? 'r+' : 'w');
  writeSync(fd, image, 0, image.length, 0);
  closeSync(fd);
  const check = () =>
    withMounted(file, place, CARD_MOUNT_OPTIONS, () => {
      const card = path.join(place, 'card');
      const { device, before, log, isDeleting } = recorded;
      const stage = { card, device, isDeleting, say: () => undefined };
      return new CardCheck(stage, [...before, ...said]).run(log);
    });
  try {
    return { ...(await check()), repairs: 0 };
  } catch (error) {
    if (!(error instanceof NotMountable)) return lost(error);
  }
  try {
    repair(file);
    return { ...(await check()), repairs: 1 };
  } catch (error) {
    return lost(error);
  }
}

const lost = (error: unknown) => ({
  problems: [messageOf(error)],
  ...{ lostMs: 0, recovered: 0, repairs: 0 },
});

const row = (...cells: readonly (string | number)[]): void => {
  const widths = [22, 8, 8, 8, 7, 9, 10, 7, 12, 9];
  say(cells.map((cell, n) => `${cell}`.padEnd(widths[n] ?? 0)).join(' '));
};

const describe = ({ requests }: Recorded): readonly number[] => [
  requests.filter(({ kind }) => kind === 'write').length,
  requests.filter(({ kind }) => kind === 'flush').length,
];

let failed = 0;
say(`power cuts on ext4 (${CARD_MOUNT_OPTIONS}), seed ${seed}`);
row(
  'scenario',
  'mode',
  'writes',
  'flushes',
  'points',
  'failures',
  'recovered',
  'e2fsck',
  'lost ms max',
  'ms/point',
);
for (const scenario of scenarios) {
  if (values.only !== undefined && values.only !== scenario.name) continue;
  const recorded = await record(scenario);
  for (const mode of CUT_MODES) {
    const { failures, lostMs, recovered, repairs, ms } = await cutOften(recorded, mode, { points });
    failed += failures;
    const cells = [points, failures, recovered, repairs, Math.round(lostMs), Math.round(ms)];
    row(scenario.name, mode, ...describe(recorded), ...cells);
  }
}

/** A control has to fail: a check that finds nothing there would find nothing anywhere. */
async function control(name: string, recorded: Recorded, ignoresFlushes: boolean): Promise<void> {
  const count = Math.max(CONTROL_POINTS_MIN, Math.floor(points / 4));
  const options = { points: count, isControl: true, ignoresFlushes };
  const { failures, ms } = await cutOften(recorded, 'subset', options);
  if (failures === 0) failed += 1;
  row(name, 'subset', ...describe(recorded), count, failures, '', '', '', Math.round(ms));
  say(
    failures > 0
      ? `  as it must: ${failures} of ${count} lose what was acknowledged`
      : `  CONTROL FAILED: nothing was lost, so the check shows nothing`,
  );
}
const controlled = scenarios.find(({ name }) => name === 'seal');
if (controlled !== undefined && values.only === undefined) {
  await control(
    'control barrier=0',
    await record(controlled, `${CARD_MOUNT_OPTIONS},barrier=0`),
    false,
  );
  await control('control no flush', await record(controlled), true);
}
say(failed === 0 ? 'power cut: nothing was lost' : `power cut: ${failed} FAILURES`);
process.exitCode = failed === 0 ? 0 : 1;
