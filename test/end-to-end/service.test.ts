import test from 'ava';
import { setUpDesk, startCamera } from '../support/desk.js';
import { NotifySocket } from '../support/notify-socket.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a camera that systemd has started says when it works, that it lives, and that it ends', async (t) => {
  const directory = await temporaryDirectory(t);
  const desk = await setUpDesk(directory);
  const socket = await NotifySocket.listen(t, directory);
  // The camera inherits the environment of this process, which runs this test alone.
  process.env['NOTIFY_SOCKET'] = socket.path;
  process.env['WATCHDOG_USEC'] = '3000000';
  const camera = await startCamera(desk);
  t.teardown(() => camera.end('SIGKILL'));
  t.regex((await socket.atLeast(1)).at(0) ?? '', /^READY=1\nSTATUS=camera \S+, boot \d+, on /);
  t.is((await socket.atLeast(2)).at(1), 'WATCHDOG=1');
  await camera.end('SIGTERM');
  t.is(camera.process.exitCode, 0);
  await t.notThrowsAsync(
    socket.until((messages) => messages.some((message) => message.includes('STOPPING=1'))),
  );
});
