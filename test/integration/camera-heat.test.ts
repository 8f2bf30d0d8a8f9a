import test from 'ava';
import { FieldCamera } from '../support/sync/field-camera.js';
import { waitUntil } from '../support/sync/wait-until.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('heat ends a recording well, refuses presses with its reason, and passes', async (t) => {
  const camera = await FieldCamera.open(t, { device: 'cam-1', data: await temporaryDirectory(t) });
  await camera.hands('press record');
  await waitUntil('it records', () => camera.mode === 'recording');
  await camera.hands('temperature 90');
  await waitUntil('the recording has ended', () => camera.mode === 'buffering');
  await waitUntil('it is sealed', async () => (await camera.recordedBy()).length === 1);
  const { parts } = await camera.camera.status();
  t.like(
    parts.find(({ part }) => part === 'thermal'),
    { code: 'hal/too-hot' },
  );
  await camera.hands('press record');
  await waitUntil('the press is refused', () => camera.outcomes.includes('record refused-heat'));
  await camera.hands('temperature 60');
  await waitUntil(
    'it has cooled down',
    async () => (await camera.camera.status()).parts.length === 0,
  );
  await camera.hands('press record');
  await waitUntil('it records again', () => camera.mode === 'recording');
});
