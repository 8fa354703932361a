// Answers each line, a JSON array of message bodies, with a JSON array of what sms-segments-calculator says of them.

import { createInterface } from "node:readline";
import calculator from "sms-segments-calculator";

const { SegmentedMessage } = calculator;

function measure(body) {
  const message = new SegmentedMessage(body, "auto", false); // false: no smart encoding, the body stays as it is
  // The calculator packs grapheme clusters. The same packing over code points is asked for as well, with the places
  // where it cuts, so that a test can tell apart the two questions: how to pack, and what is indivisible.
  const byCodePoint = message._buildSegments(message._encodeChars(Array.from(body)));
  return {
    encoding: message.encodingName,
    units: message.messageSize / (message.encodingName === "GSM-7" ? 7 : 16),
    count: message.segmentsCount,
    countByCodePoint: byCodePoint.length,
    cutsAGrapheme: cutsAGrapheme(message.graphemes, byCodePoint),
    forcing: message.getNonGsmCharacters(),
  };
}

function cutsAGrapheme(graphemes, segments) {
  const boundaries = new Set([0]);
  let offset = 0;
  for (const grapheme of graphemes) boundaries.add((offset += grapheme.length));
  offset = 0;
  for (const segment of segments) {
    for (const character of segment) if (!character.isUserDataHeader) offset += character.raw.length;
    if (!boundaries.has(offset)) return true;
  }
  return false;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(measure)) + "\n");
}
