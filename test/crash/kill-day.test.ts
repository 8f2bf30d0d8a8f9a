import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { enrolCamera, initCamera, initReceiver, readTrust } from '../../src/cli/keys.js';
import { openReceiver } from '../../src/cli/receive.js';
import { writeConfigFile } from '../../src/cli/config-file.js';
import { dataPaths } from '../../src/cli/paths.js';
import { sha256Hex } from '../../src/evidence/merkle-tree.js';
import { openMachine } from '../../src/hal/machine.js';
import { createLogger } from '../../src/log.js';
import { startEmbeddedBroker } from '../../src/sync/embedded-broker.js';
import { checkDay } from '../support/day-check.js';
import type { DayVerdict } from '../support/day-check.js';
import type { DaySaid } from '../support/day-camera.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

// A day in which the camera is killed again and again, wherever it is. `KILLS=1000 SEED=1` makes a thousand of them.

const KILLS = Number(process.env['KILLS'] ?? 5);
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6));
/** From the boot on; one in six dies before, while it opens its card or loads its program. */
const LIFE_MS_MAX = 2500;
const START_MS_MAX = 900;
const HANGS_MS = 60_000;
/** A look at everything reads all of the evidence: at first after few kills, then after ever more. */
const FIRST_LOOK = 8;
const DEVICE = 'lapel-day';
/** As `day-camera.ts` has it, which is a program and cannot be imported. */
const DAY_RESERVE_BYTES = 256 * 1024 * 1024;
const CAMERA = path.join(import.meta.dirname, '../support/day-camera.js');

class Day {
  readonly sealed = new Map<string, string>();
  readonly presses = new Map<number, { edges: number; decided: number }>();
  readonly problems: string[] = [];
  readonly #data: string;
  readonly #broker: string;
  #boot = 0;
  #receipted = 0;
  bufferingMs = 0;
  recoveredMs = 0;
  drained = 0;

  constructor(data: string, broker: string) {
    this.#data = data;
    this.#broker = broker;
  }

  /** One life: killed after `lifeMs` from its boot, or from its start when `isEarly`; to its own end with neither. */
  async life(seed: number | 'look', lifeMs = 0, isEarly = false): Promise<readonly DaySaid[]> {
    const child = spawn(process.execPath, [CAMERA, this.#data, this.#broker, String(seed)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
    const exited = once(child, 'exit');
    const hangs = setTimeout(() => child.kill('SIGKILL'), HANGS_MS);
    const die = (): void => void child.kill('SIGKILL');
    if (isEarly) setTimeout(die, lifeMs);
    const said: DaySaid[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const fact = JSON.parse(line) as DaySaid;
      said.push(fact);
      if (fact.said === 'boot' && seed !== 'look' && !isEarly) setTimeout(die, lifeMs);
    }
    const [status, signal] = (await exited) as [number | null, string | null];
    clearTimeout(hangs);
    const isAsMeant = seed === 'look' ? status === 0 : signal === 'SIGKILL';
    if (!isAsMeant) this.problems.push(`a camera ended with ${status} ${signal}: ${words}`);
    await this.#take(said);
    return said;
  }

  async #take(said: readonly DaySaid[]): Promise<void> {
    const first = said.find((fact) => fact.said === 'boot');
    if (first === undefined) return;
    const { boot, receipted } = first;
    if (boot <= this.#boot) this.problems.push(`boot ${boot} came after ${this.#boot}`);
    if (receipted < this.#receipted) this.problems.push(`boot ${boot} has lost receipts`);
    this.#boot = boot;
    this.#receipted = receipted;
    const hands = said.filter((fact) => fact.said === 'hand').length;
    const decided = said.filter((fact) => fact.said === 'decided').length;
    this.presses.set(boot, { edges: 2 * hands, decided });
    for (const fact of said) {
      if (fact.said === 'sealed') {
        const seg = `${boot}/${fact.rec}/${fact.seq}`;
        const manifest = path.join(dataPaths(this.#data).card, 'ev', `${seg}.dsse`);
        const digest = existsSync(manifest) ? sha256Hex(await readFile(manifest)) : 'gone';
        this.sealed.set(seg, digest);
      } else if (fact.said === 'recovered') {
        this.recoveredMs = Math.max(this.recoveredMs, fact.afterMs);
        const left = fact.failed + fact.missing;
        if (left > 0) this.problems.push(`boot ${boot}: ${left} segments failed or are missing`);
      } else if (fact.said === 'buffering') {
        this.bufferingMs = Math.max(this.bufferingMs, fact.afterMs);
      } else if (fact.said === 'phase' && fact.phase === 'drained') this.drained += 1;
    }
  }
}

/** Keys, settings, broker and receiver of the day. */
async function prepare(t: ExecutionContext, dir: string) {
  const machine = openMachine();
  const at = (name: string): string => path.join(dir, name);
  const places = { data: at('camera'), store: at('store'), trust: at('trust.json') };
  const { fs } = machine;
  await initCamera(fs, {
    ...{ data: places.data, device: DEVICE, recipients: [], identity: at('identity.txt') },
  });
  await initReceiver(fs, places.store, 'rx1');
  const { config } = await enrolCamera(fs, places);
  const settings = { preEventMs: 1000, reserveBytes: DAY_RESERVE_BYTES };
  await writeConfigFile(fs, dataPaths(places.data).config, { ...config, ...settings });
  const broker = await startEmbeddedBroker();
  const trust = await readTrust(fs, places.trust);
  const log = createLogger('silent', { write: () => undefined });
  const { receiver } = await openReceiver(machine, log, {
    ...{ store: places.store, trust, broker: broker.url },
  });
  await receiver.start();
  t.teardown(async () => {
    await receiver.close();
    await broker.close();
  });
  return { ...places, trust, broker: broker.url };
}

test('a day of kills: nothing sealed is lost, nothing counts twice, and every file is explained', async (t) => {
  t.timeout(30_000 + KILLS * 10_000);
  const dir = await temporaryDirectory(t);
  const { data, store, trust, broker } = await prepare(t, dir);
  const day = new Day(data, broker);
  const { card } = dataPaths(data);
  let state = SEED;
  const random = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
  const look = async (): Promise<DayVerdict> => {
    await day.life('look');
    const again = await day.life('look');
    const idle = again.find((fact) => fact.said === 'recovered');
    if (idle?.done !== 0) day.problems.push('a second recovery had something to do');
    // The receiver may be about to answer what the camera has offered.
    await sleep(500);
    const verdict = await checkDay({ card, store, device: DEVICE }, day, trust);
    return { ...verdict, problems: [...day.problems, ...verdict.problems] };
  };
  const started = performance.now();
  let nextLook = FIRST_LOOK;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const isEarly = random() < 1 / 6;
    const lifeMs = random() * (isEarly ? START_MS_MAX : LIFE_MS_MAX);
    await day.life(Math.floor(random() * 1e6), lifeMs, isEarly);
    if (kill !== nextLook && kill !== KILLS) continue;
    nextLook *= 2;
    const verdict = await look();
    const { segments, recovered, receipts, deleted, quarantined, entries } = verdict;
    const seconds = (performance.now() - started) / 1000;
    const line =
      `${kill} kills in ${Math.round(seconds)} s, seed ${SEED}: ${segments} segments (${recovered} cut), ` +
      `${day.sealed.size} told as sealed, ${receipts} receipts, ${deleted} deleted, ${day.drained} times drained, ` +
      `${quarantined} files in quarantine, ${entries} entries; ` +
      `buffering at most ${Math.round(day.bufferingMs)} ms, recovery ${Math.round(day.recoveredMs)} ms after the start`;
    process.stdout.write(`${line}\n`);
    t.log(line);
    t.deepEqual(verdict.problems.slice(0, 20), [], `seed ${SEED}, after ${kill} kills`);
  }
  t.true(day.sealed.size > 0, 'something was sealed');
});
