/** Server-sent events, as they arrive in pieces. */

export class ServerSentEvents {
  private pending = "";

  /** Take a piece of the stream, and return the data of the events that are whole by now. */
  push(piece: string): string[] {
    this.pending += piece;
    const events = this.pending.split(/\r\n\r\n|\n\n|\r\r/);
    this.pending = events.pop()!;
    return events.map(dataOf).filter((data) => data !== null);
  }
}

/** Return the data of an event; null for one that has none, such as a comment that keeps the line open. */
function dataOf(event: string): string | null {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
  return lines.length === 0 ? null : lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}
