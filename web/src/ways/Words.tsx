/** A transcript, each word by how sure the recogniser is of it: in colour, and underlined for those who see none. */

import { memo, type KeyboardEvent, useRef } from "react";
import { cn } from "../components/ui";
import { texts } from "../texts";
import { type Sureness, surenessOf, type Utterance, type Word } from "./transcript";

const t = texts.transcribe;

export const LOOKS: Record<Sureness, string> = {
  sure: "text-emerald-800 dark:text-emerald-300",
  fair: "text-amber-800 underline decoration-dotted decoration-2 underline-offset-4 dark:text-amber-300",
  poor: "text-destructive underline decoration-wavy decoration-2 underline-offset-4",
  unknown: "",
};

const seconds = (ms: number) => (ms / 1000).toFixed(1);

/** Return minutes and seconds. */
export function clockOf(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** What is told of a word that is pointed at or has the focus. */
function figureOf(word: Word): string {
  return t.figure(word.text, t.percent(word.probability), word.startMs === null ? "" : t.at(seconds(word.startMs)));
}

/** `onFigure` is told of the word that is looked at. */
export function Words({ utterances, onFigure }: { utterances: readonly Utterance[]; onFigure: (figure: string) => void }) {
  const box = useRef<HTMLOListElement>(null);
  const show = (target: EventTarget) => {
    const figure = (target as HTMLElement).dataset.figure;
    if (figure !== undefined) onFigure(figure);
  };
  const step = (event: KeyboardEvent) => {
    const words = [...(box.current?.querySelectorAll<HTMLElement>("[data-word]") ?? [])];
    const at = words.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowRight: at + 1, ArrowLeft: Math.max(0, at - 1), Home: 0, End: words.length - 1 }[event.key];
    if (next === undefined || words[next] === undefined) return;
    event.preventDefault();
    words[next].focus();
  };
  return (
    <ol
      ref={box}
      aria-label={t.transcript}
      tabIndex={0}
      onKeyDown={step}
      onMouseOver={(event) => show(event.target)}
      onFocus={(event) => show(event.target)}
      className="mx-auto flex max-w-3xl flex-col gap-3 rounded-lg p-4"
    >
      {utterances.map((utterance) => (
        <Said key={utterance.id} utterance={utterance} />
      ))}
    </ol>
  );
}

const Said = memo(function Said({ utterance }: { utterance: Utterance }) {
  const { startMs, words, state } = utterance;
  return (
    <li data-utterance={state} className="flex gap-3 text-[0.95rem] leading-relaxed">
      <span className="w-10 shrink-0 pt-0.5 text-right text-xs text-muted-foreground tabular-nums">
        {startMs !== null && (
          <>
            <span className="sr-only">{t.from(clockOf(startMs))}</span>
            <span aria-hidden="true">{clockOf(startMs)}</span>
          </>
        )}
      </span>
      <p className="min-w-0 flex-1 break-words">
        {words.map((word, i) => (
          // Words are only ever added at the end, or all of them anew.
          <span key={i}>
            {i > 0 && " "}
            <span
              data-word
              data-sureness={surenessOf(word.probability)}
              data-figure={figureOf(word)}
              tabIndex={-1}
              className={cn("rounded-sm", LOOKS[surenessOf(word.probability)])}
            >
              {word.text}
            </span>
          </span>
        ))}
        {state === "live" && <span className="text-muted-foreground"> {texts.hearingWords}</span>}
        {state === "failed" && <em className="text-sm text-muted-foreground"> {t.lost}</em>}
      </p>
    </li>
  );
});
