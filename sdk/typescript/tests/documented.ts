/** Which paths the service's committed document has: tests of a surface wait until it is there. */

import { readFileSync } from 'node:fs';

const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, unknown>;
};

/** The reason to skip a test that needs `path`; false where the service has it. */
export function unless(path: string): string | false {
  return path in document.paths ? false : `needs a service that has ${path}`;
}
