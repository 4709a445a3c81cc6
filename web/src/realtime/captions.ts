/**
 * Which words of an answer have been spoken by now.
 *
 * Words arrive before their sound, both faster than they are played.  A piece of text belongs to the sound that arrives
 * after it and before the next piece; within that stretch words are shown in proportion to their length.
 */

export interface Mark {
  /** Characters of the whole text up to and with this piece. */
  end: number;
  /** How much sound had arrived before the piece, in milliseconds. */
  atMs: number;
}

/** Return how many characters of the text have been spoken when `playedMs` of `receivedMs` were played. */
export function spokenLength(text: string, marks: readonly Mark[], playedMs: number, receivedMs: number): number {
  let begin = 0;
  for (let i = 0; i < marks.length; i++) {
    const mark = marks[i]!;
    // Pieces that came together share the sound that follows them.
    if (i + 1 < marks.length && marks[i + 1]!.atMs === mark.atMs) continue;
    const untilMs = marks[i + 1]?.atMs ?? receivedMs;
    if (playedMs < untilMs) {
      const share = untilMs > mark.atMs ? Math.max(0, playedMs - mark.atMs) / (untilMs - mark.atMs) : 0;
      return share === 0 ? begin : wordEnd(text, begin + Math.ceil(share * (mark.end - begin)));
    }
    begin = mark.end;
  }
  return begin;
}

/** Return the end of the word in which a position lies. */
function wordEnd(text: string, position: number): number {
  const space = text.slice(position).search(/\s/);
  return space === -1 ? text.length : position + space;
}
