import { describe, expect, it } from "vitest";
import { readLink } from "./link";

const heard = {
  id: "in", type: "inbound-rtp", kind: "audio", packetsReceived: 190, packetsLost: 10, jitter: 0.004,
  concealedSamples: 9_600, silentConcealedSamples: 4_800, totalSamplesReceived: 192_000,
  jitterBufferDelay: 96_000 * 0.03, jitterBufferEmittedCount: 96_000,
};
const none = { delaySeconds: 0, emitted: 0 };

describe("a link", () => {
  it("is told in percent and milliseconds", () => {
    const told = { id: "far", type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.02, roundTripTime: 0.5 };
    const transport = { id: "t", type: "transport", selectedCandidatePairId: "pair" };
    const other = { id: "other", type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 9 };
    const pair = { id: "pair", type: "candidate-pair", localCandidateId: "mine", currentRoundTripTime: 0.025 };
    const mine = { id: "mine", type: "local-candidate", candidateType: "host", protocol: "udp" };
    expect(readLink([told, transport, other, pair, mine, heard], none)!.link).toEqual({
      lossPercent: 5, sentLossPercent: 2, jitterMs: 4, concealedPercent: 2.5, bufferMs: 30, roundTripMs: 25,
      route: "direct", protocol: "UDP",
    });
  });

  it("is found where a browser names no transport, and tells of the relay by which it goes", () => {
    const pair = { id: "pair", type: "candidate-pair", selected: true, localCandidateId: "mine" };
    const mine = { id: "mine", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tcp" };
    const told = { id: "far", type: "remote-inbound-rtp", kind: "audio", roundTripTime: 0.08 };
    expect(readLink([heard, pair, mine, told], none)!.link).toMatchObject({
      route: "relay", protocol: "TCP", roundTripMs: 80, sentLossPercent: null,
    });
  });

  it("waits as long as it did lately, not ever since", () => {
    const { counted } = readLink([heard], none)!;
    const later = { ...heard, jitterBufferDelay: heard.jitterBufferDelay + 480 * 0.1, jitterBufferEmittedCount: 96_480 };
    expect(readLink([later], counted)!.link.bufferMs).toBeCloseTo(100);
    expect(readLink([heard], counted)!.link.bufferMs).toBe(0);
  });

  it("is not known before anything came", () => {
    expect(readLink([{ id: "t", type: "transport" }], none)).toBeNull();
    expect(readLink([{ id: "in", type: "inbound-rtp", kind: "audio" }], none)!.link).toMatchObject({
      lossPercent: 0, concealedPercent: 0, roundTripMs: null,
    });
  });
});
