/** Text in pieces that are spoken one by one: whole sentences where that is possible. */

/** A sentence's end, with the quotes and brackets that close with it. */
const END = /[.!?…]+["'”’)\]]*\s+|[。！？]+[」』”’）]*\s*|\n+/g;
/** Where a sentence that is too long may be parted. */
const PAUSE = /[,;:–—、，；：]\s*/g;
/** Words whose point ends no sentence. */
const ABBREVIATION = /(?:^|[\s("'“‘])(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|approx)\.\s+$/u;

export class Splitter {
  private pending = "";

  /**
   * Begin a text.
   *
   * `least` is the length below which sentences are kept together, `most` what no piece exceeds.
   */
  constructor(
    private readonly least = 1,
    private readonly most = 400,
  ) {}

  /** Take more of the text, and return the pieces that are whole by now; together they are the text, blanks and all. */
  push(text: string): string[] {
    this.pending += text;
    const pieces: string[] = [];
    for (let end = this.end(); end > 0; end = this.end()) {
      pieces.push(this.pending.slice(0, end));
      this.pending = this.pending.slice(end);
    }
    return pieces;
  }

  /** Return what is left when the text is over. */
  finish(): string[] {
    const left = this.pending;
    this.pending = "";
    return left.trim() === "" ? [] : [left];
  }

  /** Return where the first piece ends; 0 where that is not known yet. */
  private end(): number {
    let found = 0;
    for (const match of this.pending.matchAll(END)) {
      const end = match.index + match[0].length;
      if (end > this.most) break;
      const before = this.pending.slice(0, end);
      if (before.trim() === "" || ABBREVIATION.test(before)) continue;
      found = end;
      if (before.trim().length >= this.least) return end;
    }
    if (this.pending.length <= this.most) return 0;
    return found || this.part();
  }

  /** Return where a sentence that is too long is parted: at a pause, between words, or else anywhere. */
  private part(): number {
    const room = this.pending.slice(0, this.most);
    const pauses = [...room.matchAll(PAUSE)].map((match) => match.index + match[0].length);
    const pause = pauses.at(-1) ?? 0;
    if (pause > this.most / 2) return pause;
    const space = room.search(/\s\S*$/);
    if (space > 0) return space + 1;
    // Not between the halves of one character.
    return /[\uD800-\uDBFF]$/.test(room) ? room.length - 1 : room.length;
  }
}

/** Return a whole text in pieces. */
export function piecesOf(text: string, least: number, most: number): string[] {
  const splitter = new Splitter(least, most);
  return [...splitter.push(text), ...splitter.finish()].map((piece) => piece.trim()).filter((piece) => piece !== "");
}
