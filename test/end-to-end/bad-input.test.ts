import { cp, mkdir, readFile, readdir, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../src/errors.js';
import type { ErrorCode } from '../../src/errors.js';
import { formatTrust, emptyTrust } from '../../src/evidence/trust.js';
import { setUpDesk, sim, startCamera, startCameraUntil } from '../support/desk.js';
import { LAPEL, runLapel, runLapelJson, runTool } from '../support/process.js';
import type { Ended } from '../support/process.js';
import { makeCamera, makeSegment } from '../support/sealed-recording.js';
import { writeSegments } from '../support/segment-files.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Refusal {
  readonly ok: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string };
}

/** What a refusal must look like. `exit` is 1 unless said otherwise. */
interface Expected {
  readonly code: ErrorCode;
  readonly exit?: number;
  readonly says: RegExp;
}

function checkLine(t: ExecutionContext, ended: Ended, { code, exit = 1, says }: Expected): void {
  t.is(ended.status, exit);
  t.is(ended.stdout, '');
  const [line = '', ...more] = ended.stderr.split('\n');
  t.deepEqual(more, [''], 'one line');
  t.true(line.startsWith(`error ${code}: `), line);
  t.regex(line, says);
  t.true(line.endsWith(`. ${new CameraError(code, '').remedy}`), line);
}

/** Runs the command twice, for a person, then for a program, and checks both answers. */
async function refuses(
  t: ExecutionContext,
  expected: Expected,
  ...words: readonly string[]
): Promise<void> {
  checkLine(t, await runLapel(...words), expected);
  const json = await runLapelJson<Refusal>(...words);
  t.is(json.status, expected.exit ?? 1);
  t.false(json.result.ok);
  const { code, message, remedy } = json.result.error;
  t.is(code, expected.code);
  t.regex(message, expected.says);
  t.not(remedy, '');
}

/** A copy of the simulated board with its text changed. */
async function boardFile(dir: string, change: (text: string) => string): Promise<string> {
  const file = path.join(dir, 'board.json');
  await writeFile(file, change(await readFile('board/sim.json', 'utf8')));
  return file;
}

async function cameraIn(dir: string): Promise<string> {
  const data = path.join(dir, 'cam');
  mustPass(await runLapel('keys', 'init', '--data', data, '--device', 'cam-1'));
  return data;
}

/** For steps on the way to a test: throws when one failed. */
function mustPass({ status, stderr }: Ended): void {
  if (status !== 0) throw new Error(stderr);
}

/** Lets a server listen on a free port. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A port at which nobody listens: it was free a moment ago. */
async function deadBroker(): Promise<string> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return `mqtt://127.0.0.1:${port}`;
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

test.serial('an unknown board is refused with the boards there are, keys or not', async (t) => {
  const data = path.join(await temporaryDirectory(t), 'cam');
  const expected = {
    code: 'board/not-found',
    says: /no board nosuch; known are: .*\bsim\b/,
  } as const;
  await refuses(t, expected, 'run', '--board', 'nosuch', '--data', data);
  await refuses(t, expected, 'doctor', '--board', 'nosuch', '--data', data);
  t.false(await exists(data), 'and nothing is made');
});

test.serial('every fault of a board file is named, path and reason, in one line', async (t) => {
  const dir = await temporaryDirectory(t);
  const board = await boardFile(dir, (text) =>
    text
      .replace('"width": 640', '"width": "wide"')
      .replace('"line": 27', '"line": 99')
      .replace('"vibration"', '"vibrations"'),
  );
  const says =
    /board\.json: (?=.*camera\.width: )(?=.*buttons\.function\.line: .*0 to 31)(?=.*vibrations: )/;
  await refuses(t, { code: 'board/invalid', says }, 'run', '--board', board, '--data', dir);
});

test.serial('a board file that is no JSON is refused with the place of the fault', async (t) => {
  const dir = await temporaryDirectory(t);
  const board = await boardFile(dir, (text) => text.replace('"gpio": {', '"gpio" {'));
  const expected = { code: 'board/invalid', says: /not a JSON document.*line 5/ } as const;
  await refuses(t, expected, 'run', '--board', board, '--data', dir);
});

test.serial(
  'an encoder that this machine does not have is named before the card is touched',
  async (t) => {
    const dir = await temporaryDirectory(t);
    const data = await cameraIn(dir);
    const plugins = await pluginsWithoutEncoder(dir);
    const words = ['run', '--board', 'sim', '--data', data, '--log-level', 'error'];
    const ended = await runTool('env', [...plugins, process.execPath, LAPEL, ...words]);
    checkLine(t, ended, { code: 'hal/no-element', says: /x264enc/ });
    t.false(await exists(path.join(data, 'card')));
  },
);

/** Variables for a GStreamer that has everything the simulated board needs but the x264 plugin. */
async function pluginsWithoutEncoder(dir: string): Promise<readonly string[]> {
  const asked = await runTool('pkg-config', ['--variable=pluginsdir', 'gstreamer-1.0']);
  const from = asked.stdout.trim();
  const to = path.join(dir, 'plugins');
  await mkdir(to);
  const needed = /^libgst(coreelements|app|gdp|multifile|rawparse|videoparsersbad)\.so$/;
  for (const name of (await readdir(from)).filter((each) => needed.test(each))) {
    await symlink(path.join(from, name), path.join(to, name));
  }
  return [`GST_PLUGIN_SYSTEM_PATH_1_0=${to}`, `GST_REGISTRY_1_0=${path.join(dir, 'registry')}`];
}

test.serial('footage that is missing is named', async (t) => {
  const dir = await temporaryDirectory(t);
  const data = await cameraIn(dir);
  const board = await boardFile(dir, (text) => text.replace('street-640x360', 'nowhere'));
  const expected = { code: 'hal/no-footage', says: /nowhere\.i420 is missing/ } as const;
  await refuses(t, expected, 'run', '--board', board, '--data', data);
  await refuses(t, expected, 'doctor', '--board', board, '--data', data);
});

test.serial(
  'a camera without keys is refused with the command that makes them, and nothing is made',
  async (t) => {
    const data = path.join(await temporaryDirectory(t), 'cam');
    const expected = { code: 'keys/missing', says: /no camera is set up in .*cam/ } as const;
    await refuses(t, expected, 'run', '--board', 'sim', '--data', data);
    await refuses(t, expected, 'status', '--data', data);
    await refuses(
      t,
      { code: 'keys/missing', says: /no key in .*device\.key/ },
      ...['keys', 'show', '--data', data],
    );
    t.regex(new CameraError('keys/missing', '').remedy, /lapel keys init/);
    t.false(await exists(data));
  },
);

test.serial('a configuration that cannot be read, or with faults, is refused', async (t) => {
  const dir = await temporaryDirectory(t);
  const data = await cameraIn(dir);
  const run = ['run', '--board', 'sim', '--data', data];
  const missing = path.join(dir, 'missing.json');
  const unreadable = { code: 'config/unreadable', says: /missing\.json/ } as const;
  await refuses(t, unreadable, ...run, '--config', missing);
  const file = path.join(dir, 'faulty.json');
  await writeFile(file, '{"deviceId":"cam-1","recipients":[],"segmentMs":1}');
  const faults = /recipients: .*segmentMs: |segmentMs: .*recipients: /;
  await refuses(t, { code: 'config/invalid', says: faults }, ...run, '--config', file);
  const url = { code: 'config/invalid', says: /brokerUrl: / } as const;
  await refuses(t, url, ...run, '--broker', 'http://127.0.0.1');
});

/** A directory on a file system with less space than the largest reserve: 64 GiB. */
async function smallDirectory(t: ExecutionContext): Promise<string> {
  for (const root of [tmpdir(), '/dev/shm']) {
    const { bavail, bsize } = await statfs(root);
    if (bavail * bsize < 60 * 2 ** 30) {
      return temporaryDirectory(t, root);
    }
  }
  throw new Error('neither the temporary directory nor /dev/shm has less than 60 GiB free');
}

interface FullStatus {
  readonly recorder: { readonly mode: string; readonly rec: number | null };
  readonly fault: { readonly code: string; readonly message: string } | null;
}

const TICKS = 'audiotestsrc is-live=true wave=ticks';
/** 12 s of 1024 samples a time; whether it ends before or after the presses, it is not why. */
const SECONDS_OF_SOUND = 'audiotestsrc is-live=true samplesperbuffer=1024 num-buffers=500';

test.serial(
  'without free space a press is refused for everybody to hear, and the camera goes on',
  async (t) => {
    t.timeout(120_000);
    const dir = await smallDirectory(t);
    const desk = await setUpDesk(dir, { reserveBytes: 64 * 2 ** 30 });
    // A microphone that dies after the press is another fault, but not why nothing is recorded.
    const board = await boardFile(dir, (text) => text.replace(TICKS, SECONDS_OF_SOUND));
    // It says so before anybody presses.
    const camera = await startCameraUntil(desk, 'fault', ['--board', board]);
    t.teardown(() => camera.end('SIGKILL'));
    for (const times of [1, 2]) {
      await sim(desk, 'press', 'record');
      const seen = (): number =>
        camera.events.filter(({ outcome }) => outcome === 'refused-storage').length;
      await camera.event(({ event }) => event === 'press' && seen() === times);
    }
    const fault = await camera.event(
      ({ event, code }) => event === 'fault' && code === 'storage/disk-full',
    );
    t.regex(String(fault['message']), /MiB are free, a recording starts only above 65536 MiB/);
    t.is(fault['remedy'], new CameraError('storage/disk-full', '').remedy);
    await camera.event(({ event, code }) => event === 'fault' && code === 'capture/audio-lost');
    const { result } = await runLapelJson<FullStatus>('status', '--data', desk.data);
    t.is(result.recorder.mode, 'fault');
    t.is(result.recorder.rec, null);
    t.is(result.fault?.code, 'storage/disk-full');
    const said = await runLapel('status', '--data', desk.data);
    t.regex(said.stdout, /^fault: storage\/disk-full: .*Use a larger card.*\.$/m);
    const state = await runLapel('sim', 'state', '--data', desk.data);
    t.regex(state.stdout, /"fault": "(on|blinking)"/);
    t.is(camera.process.exitCode, null);
    await camera.end('SIGTERM');
    t.is(camera.process.exitCode, 0);
    t.deepEqual(await readdir(path.join(desk.data, 'card', 'ev', '1')), ['session.dsse']);
  },
);

test.serial(
  'a second camera on the same data directory is refused before it begins a boot',
  async (t) => {
    const desk = await setUpDesk(await temporaryDirectory(t));
    const camera = await startCamera(desk);
    t.teardown(() => camera.end('SIGKILL'));
    const words = ['run', '--board', 'sim', '--data', desk.data, '--log-level', 'error'];
    await refuses(t, { code: 'cli/already-running', says: /control\.sock/ }, ...words);
    t.deepEqual(await readdir(path.join(desk.data, 'card', 'ev')), ['1']);
    const { result } = await runLapelJson<{ boot: number }>('status', '--data', desk.data);
    t.is(result.boot, 1, 'the first one still answers');
    await camera.end('SIGTERM');
    t.is(camera.process.exitCode, 0);
    t.false(await exists(path.join(desk.data, 'control.sock')));
  },
);

test.serial(
  'words that the simulated board does not know are a usage error with the ones it knows',
  async (t) => {
    const desk = await setUpDesk(await temporaryDirectory(t));
    const camera = await startCamera(desk);
    t.teardown(() => camera.end('SIGKILL'));
    const at = ['--data', desk.data];
    const unknown = { code: 'cli/usage', exit: 2, says: /expected one of: press/ } as const;
    await refuses(t, unknown, 'sim', 'dance', ...at);
    const battery = { code: 'cli/usage', exit: 2, says: /expected: battery 0\.\.100/ } as const;
    await refuses(t, battery, 'sim', 'battery', '101', ...at);
    // A word that looks like an option is a word here.
    mustPass(await runLapel('sim', ...at, 'clock', '-2h'));
    mustPass(await runLapel('sim', ...at, 'battery', '9'));
  },
);

test.serial(
  'a broker that is not there, or says nothing for 10 s, ends receiver and demo',
  async (t) => {
    const dir = await temporaryDirectory(t);
    const broker = await deadBroker();
    const [store, trust] = [path.join(dir, 'store'), path.join(dir, 'trust.json')];
    mustPass(await runLapel('keys', 'init', '--receiver', 'rx1', '--store', store));
    await writeFile(trust, formatTrust(emptyTrust()));
    const expected = { code: 'sync/no-broker', says: /no MQTT broker answers at mqtt:/ } as const;
    const receive = ['receive', '--store', store, '--trust', trust, '--broker'];
    await refuses(t, expected, ...receive, broker);
    const silent = createServer();
    t.teardown(() => silent.close());
    const port = await listen(silent);
    const said = { ...expected, says: /no answer within 10000 ms/ };
    await refuses(t, said, ...receive, `mqtt://127.0.0.1:${port}`);
    const demo = ['demo', '--dir', path.join(dir, 'demo'), '--broker', broker];
    checkLine(t, await runLapel(...demo), expected);
    await refuses(t, { ...expected, says: /must be mqtt/ }, ...receive, 'http://127.0.0.1');
  },
);

test.serial('a receiver without a key or a trust file is refused', async (t) => {
  const dir = await temporaryDirectory(t);
  const [store, trust] = [path.join(dir, 'store'), path.join(dir, 'trust.json')];
  const words = ['receive', '--broker', 'mqtt://127.0.0.1:1', '--store', store, '--trust', trust];
  await refuses(t, { code: 'storage/not-found', says: /trust\.json/ }, ...words);
  await writeFile(trust, 'not a trust file');
  await refuses(t, { code: 'evidence/malformed', says: /trust/ }, ...words);
  await writeFile(trust, formatTrust(emptyTrust()));
  await refuses(t, { code: 'keys/missing', says: /receiver\.key/ }, ...words);
  await refuses(
    t,
    { code: 'keys/missing', says: /receiver\.key/ },
    ...['keys', 'show', '--store', store],
  );
});

test.serial('keys are never replaced, and a receiver key needs its store', async (t) => {
  const dir = await temporaryDirectory(t);
  const data = await cameraIn(dir);
  const before = await readFile(path.join(data, 'internal', 'device.key'));
  const exist = { code: 'keys/exists', says: /device\.key/ } as const;
  await refuses(t, exist, 'keys', 'init', '--data', data);
  t.deepEqual(await readFile(path.join(data, 'internal', 'device.key')), before);
  const identity = path.join(data, 'operator', 'identity.txt');
  const other = path.join(dir, 'other');
  const taken = { code: 'keys/exists', says: /identity\.txt/ } as const;
  await refuses(t, taken, 'keys', 'init', '--data', other, '--identity', identity);
  const noStore = { code: 'cli/usage', exit: 2, says: /--store needs a value/ } as const;
  await refuses(t, noStore, 'keys', 'init', '--receiver', 'rx1');
  const badId = { code: 'cli/usage', exit: 2, says: /--device "-x"|--device "a b"/ } as const;
  await refuses(t, badId, 'keys', 'init', '--data', other, '--device', 'a b');
  const recipient = { code: 'evidence/bad-recipient', says: /recipient/ } as const;
  await refuses(t, recipient, 'keys', 'init', '--data', other, '--recipient', 'age1nobody');
  t.false(await exists(path.join(other, 'internal', 'device.key')));
});

test.serial(
  'without a running camera sim is refused; status tells of the card, also before the first run',
  async (t) => {
    const dir = await temporaryDirectory(t);
    const data = await cameraIn(dir);
    const expected = { code: 'cli/not-running', says: /no camera at .*control\.sock/ } as const;
    await refuses(t, expected, 'sim', 'state', '--data', data);
    const { status, stdout } = await runLapel('status', '--data', data);
    t.is(status, 0);
    t.regex(stdout, /^camera cam-1 is not running\n.*has not run on this card/);
    const json = await runLapelJson('status', '--data', data);
    t.deepEqual(json.result, {
      ok: true,
      running: false,
      device: 'cam-1',
      card: null,
      retention: null,
    });
  },
);

test.serial('a data directory too deep for a socket is a usage error', async (t) => {
  const dir = path.join(await temporaryDirectory(t), 'd'.repeat(100));
  const expected = { code: 'cli/usage', exit: 2, says: /at most 107 bytes/ } as const;
  await refuses(t, expected, 'sim', 'state', '--data', dir);
});

test.serial('a command line that is not understood ends with 2 and one line', async (t) => {
  const usage = (says: RegExp) => ({ code: 'cli/usage', exit: 2, says }) as const;
  await refuses(t, usage(/unknown command 'nosuch'/), 'nosuch');
  await refuses(t, usage(/unknown command 'statsu'.*status/), 'statsu');
  await refuses(t, usage(/--board/), 'run');
  await refuses(t, usage(/--trust/), 'verify', 'store');
  await refuses(t, usage(/paths/), 'verify', '--trust', 'trust.json');
  await refuses(t, usage(/words/), 'sim');
  await refuses(t, usage(/unknown command 'ini'/), 'keys', 'ini');
  await refuses(t, usage(/unknown option '--bord'/), 'run', '--board', 'sim', '--bord', 'sim');
  await refuses(t, usage(/too many arguments|expected 0 arguments/i), 'status', 'now');
  await refuses(t, usage(/between 1 and 3600/), 'demo', '--seconds', '0');
  await refuses(t, usage(/--log-level loud/), 'run', '--board', 'sim', '--log-level', 'loud');
});

test.serial(
  'no command at all shows the commands and ends with 2; asked for, they end with 0',
  async (t) => {
    const bare = await runLapel();
    t.is(bare.status, 2);
    t.regex(bare.stderr, /Usage: lapel[\s\S]*lapel demo/);
    const help = await runLapel('help');
    t.is(help.status, 0);
    t.is(help.stderr, '');
    for (const verb of ['demo', 'run', 'sim', 'status', 'doctor', 'receive', 'verify', 'export']) {
      t.regex(help.stdout, new RegExp(`^  ${verb} `, 'm'));
    }
    const version = await runLapel('--version');
    const { version: expected } = JSON.parse(await readFile('package.json', 'utf8')) as {
      version: string;
    };
    t.is(version.stdout, `${expected}\n`);
  },
);

test.serial(
  'verify never says not-ok of what is no evidence, and not-feasible without the device',
  async (t) => {
    const dir = await temporaryDirectory(t);
    const camera = makeCamera('cam-1', [17]);
    const recording = await writeSegments(path.join(dir, 'store', 'cam-1'), camera, [
      makeSegment(camera),
    ]);
    const trust = path.join(dir, 'trust.json');
    await writeFile(trust, formatTrust(emptyTrust()));
    const empty = path.join(dir, 'empty');
    await mkdir(empty);
    const wrong = (says: RegExp) => ({ code: 'storage/not-found', exit: 2, says }) as const;
    await refuses(t, wrong(/no segment in .*empty/), 'verify', empty, '--trust', trust);
    await refuses(
      t,
      wrong(/there is no .*gone/),
      'verify',
      path.join(dir, 'gone'),
      '--trust',
      trust,
    );
    await refuses(
      t,
      wrong(/none\.json/),
      'verify',
      recording,
      '--trust',
      path.join(dir, 'none.json'),
    );
    const { status, result } = await runLapelJson<{ state: string }>(
      ...['verify', recording, '--trust', trust],
    );
    t.is(status, 4);
    t.is(result.state, 'not-feasible');
  },
);

test.serial('an export that cannot be right is refused and writes nothing', async (t) => {
  const dir = await temporaryDirectory(t);
  const camera = makeCamera('cam-1', [17]);
  const root = path.join(dir, 'store', 'cam-1');
  const first = makeSegment(camera);
  const recording = await writeSegments(root, camera, [first]);
  await cp(recording, path.join(root, '17', '4'), { recursive: true });
  const at = (name: string): string => path.join(dir, name);
  await writeFile(at('identity.txt'), `${camera.identity}\n`);
  await writeFile(at('empty.txt'), '');
  await writeFile(at('trust.json'), formatTrust(emptyTrust()));
  await writeFile(at('there.mp4'), 'mine');
  const words = (place: string, out: string, identity = 'identity.txt'): readonly string[] => [
    ...['export', place, '--identity', at(identity), '--out', at(out)],
  ];
  const usage = (says: RegExp) => ({ code: 'cli/usage', exit: 2, says }) as const;
  await refuses(t, usage(/holds 2 recordings; name one/), ...words(root, 'two.mp4'));
  await refuses(t, usage(/there\.mp4 exists already/), ...words(recording, 'there.mp4'));
  t.is(await readFile(at('there.mp4'), 'utf8'), 'mine');
  const noIdentity = { code: 'evidence/wrong-key', says: /no age identity in .*empty/ } as const;
  await refuses(t, noIdentity, ...words(recording, 'a.mp4', 'empty.txt'));
  const missing = { code: 'storage/not-found', says: /gone\.txt/ } as const;
  await refuses(t, missing, ...words(recording, 'b.mp4', 'gone.txt'));
  await refuses(
    t,
    { code: 'evidence/not-feasible', says: /lapel verify/ },
    ...[...words(recording, 'c.mp4'), '--trust', at('trust.json')],
  );
  await writeFile(at('trust.json'), formatTrust(camera.trust));
  await writeFile(path.join(recording, '0.leaves'), first.leaves.subarray(32));
  await refuses(
    t,
    { code: 'evidence/bad-signature', says: /is not-ok/ },
    ...[...words(recording, 'd.mp4'), '--trust', at('trust.json')],
  );
  for (const name of ['two.mp4', 'a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']) {
    t.false(await exists(at(name)), name);
  }
});
