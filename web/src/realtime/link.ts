/** How a WebRTC connection does, read from what browsers count. */

export interface Link {
  /** Packets of the answer that were lost, in percent of all. */
  lossPercent: number;
  /** Packets of one's own voice that were lost lately, as the server tells; null before it did. */
  sentLossPercent: number | null;
  jitterMs: number;
  /** Sound that was made up for what was lost or late, in percent of all. */
  concealedPercent: number;
  /** How long sound waits for what may be late. */
  bufferMs: number;
  roundTripMs: number | null;
  /** `relay` by a TURN server, otherwise direct. */
  route: "direct" | "relay";
  protocol: string;
}

/** What is counted from the beginning and wanted for the time since one looked last. */
export interface Counted {
  delaySeconds: number;
  emitted: number;
}

type Entry = Record<string, unknown> & { id: string; type: string };

const of = (entry: Entry | undefined, name: string): number => {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
};
const percent = (part: number, whole: number): number => (whole > 0 ? Math.max(0, (100 * part) / whole) : 0);

/** Return how a connection does, and what to compare with the next time; null before anything came. */
export function readLink(entries: readonly Entry[], before: Counted): { link: Link; counted: Counted } | null {
  const heard = entries.find((one) => one.type === "inbound-rtp" && one.kind === "audio");
  if (heard === undefined) return null;
  const received = of(heard, "packetsReceived");
  const lost = of(heard, "packetsLost");
  const counted = { delaySeconds: of(heard, "jitterBufferDelay"), emitted: of(heard, "jitterBufferEmittedCount") };
  const emitted = counted.emitted - before.emitted;
  const concealed = of(heard, "concealedSamples") - of(heard, "silentConcealedSamples");
  const told = entries.find((one) => one.type === "remote-inbound-rtp" && one.kind === "audio");
  const pair = chosenPair(entries);
  const local = entries.find((one) => one.id === pair?.localCandidateId);
  const roundTrip = pair?.currentRoundTripTime ?? told?.roundTripTime;
  const isRelayed = local?.candidateType === "relay";
  const link: Link = {
    lossPercent: percent(lost, received + lost),
    sentLossPercent: typeof told?.fractionLost === "number" ? 100 * told.fractionLost : null,
    jitterMs: of(heard, "jitter") * 1000,
    concealedPercent: percent(concealed, of(heard, "totalSamplesReceived")),
    bufferMs: emitted > 0 ? ((counted.delaySeconds - before.delaySeconds) / emitted) * 1000 : 0,
    roundTripMs: typeof roundTrip === "number" ? roundTrip * 1000 : null,
    route: isRelayed ? "relay" : "direct",
    protocol: String((isRelayed && local?.relayProtocol) || local?.protocol || "udp").toUpperCase(),
  };
  return { link, counted };
}

/** The pair of addresses that is in use, which each browser names in its own way. */
function chosenPair(entries: readonly Entry[]): Entry | undefined {
  const transport = entries.find((one) => one.type === "transport");
  const pairs = entries.filter((one) => one.type === "candidate-pair");
  return (
    pairs.find((one) => one.id === transport?.selectedCandidatePairId) ??
    pairs.find((one) => one.selected === true) ??
    pairs.find((one) => one.nominated === true && one.state === "succeeded")
  );
}
