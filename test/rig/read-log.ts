import path from 'node:path';
import { decodePayload } from '../../src/evidence/dsse.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';

/** Entries of one read of the log. */
const PAGE = 1000;

/** What the log of the camera in `data` says in its entries of one type, taken to be `T`. */
export function readLog<T>(data: string, wanted: string): T[] {
  const db = openDatabase(path.join(data, 'card', 'lapel.db'), { readOnly: true });
  const found: T[] = [];
  for (let from = 0; ;) {
    const page = readEntries(db, from, PAGE);
    for (const { type, envelope } of page) {
      if (type === wanted) found.push(JSON.parse(decodePayload(envelope).toString()) as T);
    }
    if (page.length < PAGE) break;
    from += page.length;
  }
  db.close();
  return found;
}
