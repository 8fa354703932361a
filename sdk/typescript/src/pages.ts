/** All entries of a list, page after page. */

import type { Page } from './types.js';

/** Without repeating or missing an entry while new ones arrive: each page says where the next begins. */
export async function* entriesOf<P extends Page, Entry>(
  read: (cursor: string | undefined) => Promise<P>,
  entries: (page: P) => Entry[],
): AsyncGenerator<Entry, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    yield* entries(page);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
