import test from 'ava';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import { team } from '../../support/sync/field-camera.js';
import { waitUntil } from '../../support/sync/wait-until.js';

/** Each is a start and a stop, and a sender is heard twelve times a minute. */
const ROUNDS = 6;
const LIMIT_MS = 1_000;

test('a camera that follows records within a second of the press on another', async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  const cameras = await team(t, broker.url, { a: 'announce', b: 'follow', c: 'follow' });
  const { a, b, c } = cameras;
  if (!a || !b || !c) throw new Error('three cameras');
  const tookMs: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = performance.now();
    await a.hands('press record');
    await waitUntil('both follow', () => [b, c].every(({ started }) => started.length === round));
    for (const { started } of [b, c]) tookMs.push((started.at(-1)?.at ?? Infinity) - before);
    // The quickest end of a recording: an empty battery.
    for (const { camera } of [a, b, c]) camera.recorder.setLimit('battery');
    await waitUntil('all have ended', () => [a, b, c].every(({ mode }) => mode === 'buffering'));
    await waitUntil('the stop is heard', () =>
      [b, c].every(({ judged }) => judged.length === 2 * round),
    );
    for (const { camera } of [a, b, c]) camera.recorder.setLimit(undefined);
  }
  const sorted = tookMs.map(Math.round).sort((x, y) => x - y);
  t.log(`${sorted.length} starts, ${sorted.join(' ')} ms after the press on the other camera`);
  t.true(Math.max(...tookMs) <= LIMIT_MS);
});
