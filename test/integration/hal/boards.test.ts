import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { GdpReader } from '../../../src/capture/gdp-reader.js';
import type { GdpItem } from '../../../src/capture/gdp-reader.js';
import { openBoard } from '../../../src/hal/board.js';
import type { Board } from '../../../src/hal/board.js';
import { findBoard } from '../../../src/hal/board-file.js';
import { boardJsonSchema } from '../../../src/hal/board-schema.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { createLogger } from '../../../src/log.js';

const BOARDS = ['sim', 'sim-1080p'];
/** Enough to see the caps and the first pictures. */
const ITEMS_WANTED = 10;
const files = new NodeFileSystem();

/** Opens a shipped board; it is closed with the test. */
async function open(t: ExecutionContext, name: string): Promise<Board> {
  const board = await openBoard(await findBoard(name, files, 'board'), {
    clock: new SystemClock(),
    log: createLogger('warn', {
      write: (line) => {
        t.log(line);
      },
    }),
    files,
    footageDirectory: path.resolve('build/footage'),
  });
  t.teardown(() => board.close());
  return board;
}

/** A launch line as capture builds one, as far as it matters here. */
const launchOf = ({ camera }: Board): string =>
  [
    camera.source,
    `video/x-raw,format=${camera.format},width=${camera.width},height=${camera.height},framerate=${camera.framesPerSecond}/1`,
    `x264enc tune=zerolatency speed-preset=ultrafast key-int-max=${camera.gopFrames}`,
    'h264parse',
    'video/x-h264,stream-format=avc,alignment=au',
    'gdppay',
    'appsink name=video sync=false',
  ].join(' ! ');

/** The first items of a run, which is killed then. Rejects with what the run says when it ends before. */
function firstItems(board: Board, launch: string): Promise<GdpItem[]> {
  const reader = new GdpReader();
  const items: GdpItem[] = [];
  return new Promise((resolve, reject) => {
    const run = board.video.startRun(launch, {
      bytes: (chunk) => {
        items.push(...reader.push(chunk));
        if (items.length >= ITEMS_WANTED) run.kill();
      },
      ended: ({ detail }) => {
        if (items.length >= ITEMS_WANTED) resolve(items);
        else reject(new Error(detail));
      },
    });
  });
}

test('the boards that are shipped are known by name', async (t) => {
  await t.throwsAsync(findBoard('nosuch', files, 'board'), {
    code: 'board/not-found',
    message: /^no board nosuch; known are: .*\bsim-1080p, sim\b/,
  });
});

for (const name of BOARDS) {
  test(`board ${name} has a GOP of one second and room for two minutes of pre-event`, async (t) => {
    const { camera, memory } = await findBoard(name, files, 'board');
    t.is(camera.gopFrames, camera.framesPerSecond);
    // An encoder may exceed its bit rate for a while; half as much again is room enough for 120 s.
    t.true(memory.preEventBytesMax >= camera.bitrateKbps * 125 * 120 * 1.5);
  });

  test(`board ${name} opens, and its camera gives H.264 of the size it says`, async (t) => {
    const board = await open(t, name);
    const launch = launchOf(board);
    await board.video.check(launch);
    const [first, second] = await firstItems(board, launch);
    const { width, height } = board.camera;
    t.like(first, { type: 'format', format: { width, height } });
    t.like(second, { type: 'unit', unit: { isIdr: true } });
  });
}

/** As much of a JSON Schema as is walked here. */
interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>;
}

test('board/README.md explains every key of a board file', async (t) => {
  const readme = await readFile('board/README.md', 'utf8');
  const unexplained: string[] = [];
  const propertiesOf = (schema: JsonSchema): Record<string, JsonSchema> => schema.properties ?? {};
  const walk = (schema: JsonSchema, prefix: string): void => {
    const properties = propertiesOf(schema);
    for (const [key, property] of Object.entries(properties)) {
      if (!readme.includes(`\`${prefix}${key}\``)) unexplained.push(`${prefix}${key}`);
      // The keys of a line are the same for every role and explained once.
      const isLine = 'activeLow' in propertiesOf(property);
      walk(property, isLine ? '' : `${prefix}${key}.`);
    }
  };
  walk(boardJsonSchema(), '');
  t.deepEqual(unexplained, []);
});
