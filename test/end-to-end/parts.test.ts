import test from 'ava';
import { setUpDesk, sim, startCamera } from '../support/desk.js';
import { runLapel, runLapelJson } from '../support/process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Status {
  readonly parts: readonly { readonly part: string; readonly code: string }[];
  readonly check: readonly { readonly part: string }[] | null;
  readonly position: { readonly latitude: number } | null;
  readonly recorder: { readonly mode: string };
}

const LIMIT_MS = 60_000;

test('a fall starts a recording, and parts that are pulled out are told while it goes on', async (t) => {
  t.timeout(240_000);
  const desk = await setUpDesk(await temporaryDirectory(t));
  const camera = await startCamera(desk);
  t.teardown(() => camera.end('SIGKILL'));
  const until = async (what: string, fits: (status: Status) => boolean): Promise<Status> => {
    const limit = performance.now() + LIMIT_MS;
    for (;;) {
      const { result } = await runLapelJson<Status>('status', '--data', desk.data);
      if (fits(result)) return result;
      if (performance.now() > limit) throw new Error(`${what}: ${JSON.stringify(result)}`);
    }
  };
  await until('a passed check and a position', (status) => {
    return status.check?.length === 0 && status.position !== null;
  });

  await sim(desk, 'imu', 'fall');
  const { rec } = await camera.event(({ event }) => event === 'recording-started', LIMIT_MS);
  t.is(rec, 1);

  await sim(desk, 'gnss', 'unplug');
  const lost = await until('the receiver is missed', ({ parts }) => parts.length > 0);
  t.deepEqual(
    lost.parts.map(({ part, code }) => `${part} ${code}`),
    ['gnss hal/disconnected'],
  );
  t.is(lost.recorder.mode, 'recording');
  const { stdout } = await runLapel('status', '--data', desk.data);
  t.regex(stdout, /^gnss: hal\/disconnected: /m);

  // The check at undocking keeps the ready light dark until the part is back.
  await sim(desk, 'dock');
  await sim(desk, 'undock');
  await until('the check names the receiver', (status) => {
    return status.check?.some(({ part }) => part === 'gnss') === true;
  });
  await sim(desk, 'gnss', 'plug');
  const well = await until('all is well again', (status) => {
    return status.parts.length === 0 && status.check?.length === 0;
  });
  t.is(well.recorder.mode, 'recording');
  await camera.end('SIGTERM');
});
