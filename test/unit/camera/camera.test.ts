import test from 'ava';
import { Camera } from '../../../src/camera.js';
import { parseConfig } from '../../../src/config/config.js';
import { generateIdentity } from '../../../src/evidence/age-recipients.js';
import { createSigner } from '../../../src/evidence/signer.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { createLogger } from '../../../src/log.js';
import { boardDocument, withValue } from '../../support/board-document.js';

test('a pre-event that does not fit into the memory of the board is refused with both figures, and touches no card', async (t) => {
  const clock = new SimClock();
  const log = createLogger('silent', { write: () => undefined });
  const document = withValue(boardDocument(), 'memory.preEventBytesMax', 8 * 1024 * 1024);
  const board = await openBoard(parseBoard(JSON.stringify(document), 'test.json'), {
    ...{ clock, log, footageDirectory: '/footage' },
    files: { exists: () => Promise.resolve(true) },
  });
  const fs = new SimFileSystem();
  const open = (preEventMs: number): Promise<Camera> =>
    Camera.open(board, fs, log, {
      config: parseConfig({
        deviceId: 'cam-1',
        recipients: [generateIdentity().recipient],
        receivers: [],
        preEventMs,
      }),
      card: '/card',
      bootFile: '/boot',
      deviceKey: createSigner(Buffer.alloc(32, 1)),
      configDigest: '0'.repeat(64),
      firmwareDigest: '0'.repeat(64),
    });
  // 2000 kbit/s are 250,000 bytes a second; with half as much again, 22 s take 7.9 MiB and 23 s take 8.2 MiB.
  await t.throwsAsync(open(23_000), {
    code: 'board/memory-budget',
    message: /23000 ms .* 2000 kbit\/s take up to 8\.2 MiB, the board allows 8\.0 MiB/,
  });
  t.deepEqual(await fs.list('/card'), []);
  // Enough memory: whatever stops this camera is something else.
  const error = await t.throwsAsync(open(22_000));
  t.not((error as { code?: string }).code, 'board/memory-budget');
});
