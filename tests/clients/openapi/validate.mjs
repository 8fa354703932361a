// Reads {document, samples: [{path, method, status, value}]} and writes what is wrong: with the document, by the
// OpenAPI specification's own schema, and with each sample, by the document's schema for it (status null: the request).
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import { text } from "node:stream/consumers";

const { document, samples } = JSON.parse(await text(process.stdin));
const validator = new Validator();
const { valid, errors } = await validator.validate(structuredClone(document));
const problems = valid ? [] : [`the document: ${JSON.stringify(errors)}`];
const resolved = validator.resolveRefs();
const ajv = new Ajv2020({ strict: false, allErrors: true });

for (const { path, method, status, value } of samples) {
  const operation = resolved.paths[path][method];
  const body = status === null ? operation.requestBody : operation.responses[status];
  const check = ajv.compile(body.content["application/json"].schema);
  if (!check(value)) problems.push(`${method} ${path} ${status ?? "request"}: ${ajv.errorsText(check.errors)}`);
}
process.stdout.write(JSON.stringify({ version: validator.version, problems }));
