// Compiles src to dist/esm and dist/cjs, with `--tests` also the tests to dist/tests; what is current stays. `--clean`
// begins with an empty dist. Any type error ends it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const projects = ['tsconfig.json', 'tsconfig.cjs.json'];
if (process.argv.includes('--tests')) projects.push('tests/tsconfig.json');
if (process.argv.includes('--clean')) rmSync(`${folder}dist`, { recursive: true, force: true });

const kind = `${folder}dist/cjs/package.json`; // without it Node would read dist/cjs as ESM
if (!existsSync(kind)) {
  mkdirSync(`${folder}dist/cjs`, { recursive: true });
  writeFileSync(kind, '{ "type": "commonjs" }\n');
}
const tsc = `${folder}node_modules/typescript/bin/tsc`;
const { status } = spawnSync(process.execPath, [tsc, '--build', ...projects], { cwd: folder, stdio: 'inherit' });
process.exitCode = status ?? 1;
