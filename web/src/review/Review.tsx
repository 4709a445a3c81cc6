/** A talk to look back at: what was said, where its sound is, how long answers took, and files of it all. */

import { type KeyboardEvent, memo, useEffect, useRef, useState } from "react";
import { RATE } from "../audio/pcm";
import { Button, cn, IconButton, Notice, Select } from "../components/ui";
import { texts } from "../texts";
import { clock, download, fileName, nameOf, seconds, toJson, toText, toVtt } from "./exports";
import { BackIcon, LaterIcon, PauseIcon, PlayIcon, EarlierIcon, MinusIcon, PlusIcon, WholeIcon } from "./icons";
import { Listening } from "./listening";
import type { Entry, Talked } from "./recorder";
import { stereoWav } from "./wav";
import { Waves, type WavesControl } from "./Waves";

const t = texts.review;
const JUMP = 5 * RATE;
const ZOOM_STEP = 1.6;
/** Between two looks at what is being said. */
const LOOK_MS = 100;

export function Review({ talks, theme, onClose }: { talks: readonly Talked[]; theme: string; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [chosen, setChosen] = useState(talks[0]!);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-label={t.title}
      onClose={onClose}
      className="m-0 h-dvh max-h-none w-full max-w-none bg-background text-foreground"
    >
      <div className="flex h-full flex-col">
        <header className="flex items-center gap-3 border-b bg-card px-4 py-2.5">
          <IconButton variant="ghost" label={t.back} onClick={() => dialog.current!.close()}>
            <BackIcon />
          </IconButton>
          <div className="min-w-0">
            <h2 className="leading-tight font-semibold">{t.title}</h2>
            <p className="truncate text-xs text-muted-foreground">{whenOf(chosen)}</p>
          </div>
        </header>
        <div className="relative min-h-0 flex-1 overflow-y-auto">
          <div className="mx-auto grid max-w-6xl grid-cols-1 gap-4 p-4 pb-[max(1rem,env(safe-area-inset-bottom))]">
            {talks.length > 1 && (
              <Select
                label={t.which}
                value={String(chosen.began)}
                options={talks.map((talk) => [String(talk.began), whenOf(talk)] as const)}
                onValue={(began) => setChosen(talks.find((talk) => String(talk.began) === began)!)}
              />
            )}
            <One key={chosen.began} talk={chosen} theme={theme} />
          </div>
        </div>
      </div>
    </dialog>
  );
}

function whenOf(talk: Talked): string {
  return t.at(new Date(talk.began).toLocaleString(), clock(talk.length, 0));
}

/** Controls for which the space bar means something else. */
const TAKES_KEYS = "input, select, button, summary, a";

function One({ talk, theme }: { talk: Talked; theme: string }) {
  const [listening] = useState(() => new Listening(talk));
  const waves = useRef<WavesControl>(null);
  const place = usePlace(listening);
  const current = currentOf(talk, place);
  const key = (event: KeyboardEvent) => {
    if ((event.target as Element).closest(TAKES_KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") listening.isPlaying ? listening.pause() : listening.play();
    else if (event.key === "+") waves.current?.zoom(ZOOM_STEP);
    else if (event.key === "-") waves.current?.zoom(1 / ZOOM_STEP);
    else return;
    event.preventDefault();
  };
  return (
    <div onKeyDown={key} className="grid grid-cols-1 gap-4">
      {talk.keptTo !== null && <Notice tone="plain">{t.keptTo(clock(talk.keptTo, 0))}</Notice>}
      {talk.journal.isFull && <Notice tone="plain">{t.journalFull}</Notice>}
      {listening.hasFailed && <Notice>{t.noSound}</Notice>}
      <section aria-label={t.waves} className="grid grid-cols-1 gap-2">
        <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 text-xs text-muted-foreground">
          <p className="flex items-center gap-4">
            <span className="flex items-center gap-1.5">
              <span aria-hidden="true" className="size-2.5 rounded-full bg-ok" />
              {texts.you}
            </span>
            <span className="flex items-center gap-1.5">
              <span aria-hidden="true" className="size-2.5 rounded-full bg-primary" />
              {texts.assistant}
            </span>
          </p>
          <p className="max-sm:hidden">{t.wavesHint}</p>
        </div>
        <Waves talk={talk} listening={listening} theme={theme} control={waves} />
        <Transport talk={talk} listening={listening} place={place} current={current} waves={waves} />
      </section>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-[1fr_18rem]">
        <section aria-label={t.turns} className="min-w-0">
          <h3 className="mb-2 text-sm font-semibold">{t.turns}</h3>
          <ol className="grid grid-cols-1 gap-2">
            {talk.entries.map((entry) => (
              <Said
                key={entry.id}
                entry={entry}
                place={entry === current ? place : -1}
                isFollowed={listening.isPlaying}
                onPlay={() => listening.play(entry.from)}
              />
            ))}
          </ol>
        </section>
        <aside className="grid content-start gap-4">
          <Facts talk={talk} />
          <Files talk={talk} />
        </aside>
      </div>
    </div>
  );
}

/** Return the place that is heard, drawn anew a few times a second; the talk falls silent when nobody looks any more. */
function usePlace(listening: Listening): number {
  const [place, setPlace] = useState(0);
  const [, draw] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setInterval> | undefined;
    listening.onChange = () => {
      clearInterval(timer);
      if (listening.isPlaying) timer = setInterval(() => setPlace(listening.place), LOOK_MS);
      setPlace(listening.place);
      draw((count) => count + 1);
    };
    return () => {
      clearInterval(timer);
      listening.onChange = () => {};
      listening.close();
    };
  }, [listening]);
  return place;
}

function currentOf(talk: Talked, place: number): Entry | undefined {
  return talk.entries.findLast((entry) => entry.spans.length > 0 && entry.from <= place && place < entry.to);
}

function Transport({
  talk,
  listening,
  place,
  current,
  waves,
}: {
  talk: Talked;
  listening: Listening;
  place: number;
  current: Entry | undefined;
  waves: React.RefObject<WavesControl | null>;
}) {
  const { isPlaying } = listening;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <IconButton variant="ghost" label={t.earlier} onClick={() => listening.seek(place - JUMP)}>
        <EarlierIcon />
      </IconButton>
      <IconButton variant="primary" label={isPlaying ? t.pause : t.play} onClick={() => (isPlaying ? listening.pause() : listening.play())}>
        {isPlaying ? <PauseIcon /> : <PlayIcon />}
      </IconButton>
      <IconButton variant="ghost" label={t.later} onClick={() => listening.seek(place + JUMP)}>
        <LaterIcon />
      </IconButton>
      <input
        type="range"
        aria-label={t.position}
        aria-valuetext={t.positionOf(clock(place, 0), clock(talk.length, 0), current === undefined ? "" : nameOf(current))}
        className="h-6 min-w-24 flex-1 accent-primary"
        min={0}
        max={talk.length / RATE}
        step={0.1}
        value={place / RATE}
        onChange={(event) => listening.seek(event.target.valueAsNumber * RATE)}
      />
      <span data-testid="place" className="text-xs text-muted-foreground tabular-nums">
        {clock(place)} / {clock(talk.length)}
      </span>
      <span className="ml-auto flex">
        <IconButton variant="ghost" label={t.wider} onClick={() => waves.current?.zoom(1 / ZOOM_STEP)}>
          <MinusIcon />
        </IconButton>
        <IconButton variant="ghost" label={t.closer} onClick={() => waves.current?.zoom(ZOOM_STEP)}>
          <PlusIcon />
        </IconButton>
        <IconButton variant="ghost" label={t.whole} onClick={() => waves.current?.whole()}>
          <WholeIcon />
        </IconButton>
      </span>
    </div>
  );
}

interface SaidProps {
  entry: Entry;
  /** What is heard now, where that is a part of this. */
  place: number;
  isFollowed: boolean;
  onPlay: () => void;
}

const Said = memo(
  function Said({ entry, place, isFollowed, onPlay }: SaidProps) {
    const row = useRef<HTMLLIElement>(null);
    const isCurrent = place >= 0;
    useEffect(() => {
      if (isCurrent && isFollowed) row.current?.scrollIntoView({ block: "nearest" });
    }, [isCurrent, isFollowed]);
    return (
      <li
        ref={row}
        data-entry={entry.kind}
        data-state={entry.state}
        aria-current={isCurrent ? "true" : undefined}
        className={cn("flex gap-3 rounded-xl border p-3", isCurrent ? "border-primary bg-primary-soft" : "bg-card")}
      >
        <Button aria-label={`${t.playFrom(clock(entry.from))}, ${nameOf(entry)}`} className="min-h-9 shrink-0 self-start px-2 tabular-nums" onClick={onPlay}>
          <PlayIcon />
          {clock(entry.from)}
        </Button>
        <div className="grid min-w-0 flex-1 gap-1">
          <p className="flex flex-wrap items-baseline justify-between gap-x-3 text-xs text-muted-foreground">
            <span className="font-medium">{entry.kind === "tool" ? `${texts.tool.called} ${nameOf(entry)}` : nameOf(entry)}</span>
            {entry.latency?.totalMs != null && <span data-latency className="tabular-nums">{t.answeredAfter(seconds(entry.latency.totalMs))}</span>}
          </p>
          <Words entry={entry} place={place} />
          {entry.kind === "assistant" && entry.state === "cut" && (
            <p className="text-xs text-destructive">{entry.cutMs ? texts.cut((entry.cutMs / 1000).toFixed(1)) : texts.cutAtOnce}</p>
          )}
          {entry.latency !== undefined && entry.latency.steps.length > 0 && (
            <details className="text-xs text-muted-foreground">
              <summary>{t.steps}</summary>
              <ul className="mt-1 grid grid-cols-[auto_1fr] gap-x-3">
                {entry.latency.steps.map(({ step, to }) => (
                  <li key={step} className="col-span-2 grid grid-cols-subgrid">
                    <span>{texts.timing.steps[step]}</span>
                    <span className="tabular-nums">{Math.round(to)} ms</span>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </div>
      </li>
    );
  },
  (one, other) => one.entry === other.entry && one.place === other.place && one.isFollowed === other.isFollowed,
);

function Words({ entry, place }: { entry: Entry; place: number }) {
  const words = "text-sm leading-relaxed break-words whitespace-pre-wrap";
  if (entry.kind === "tool") {
    const { arguments: given, output } = entry.tool!;
    return (
      <p className="font-mono text-xs break-words whitespace-pre-wrap">
        {given} → {output ?? t.noResult}
      </p>
    );
  }
  if (entry.kind === "user" && (entry.state === "failed" || entry.text === "")) {
    return <p className={cn(words, "italic")}>{entry.state === "failed" ? texts.notTranscribed : texts.notHeard}</p>;
  }
  const isCut = entry.kind === "assistant" && entry.state === "cut";
  const rest = isCut ? entry.text.slice(entry.spoken) : "";
  return (
    <p className={words}>
      {place >= 0 && entry.pieces.length > 0 ? (
        entry.pieces.map((piece) => (
          <span key={piece.from} data-spoken={piece.from <= place ? "" : undefined} className={cn(piece.from > place && "text-muted-foreground")}>
            {piece.text}
          </span>
        ))
      ) : (
        <span>{isCut ? entry.text.slice(0, entry.spoken) : entry.text}</span>
      )}
      {rest.trim() !== "" && (
        <>
          <span className="sr-only"> {texts.unheardWords} </span>
          <s className="text-muted-foreground">{rest}</s>
        </>
      )}
    </p>
  );
}

function Facts({ talk }: { talk: Talked }) {
  const facts: [string, string][] = [
    [t.length, clock(talk.length)],
    [t.median, talk.medianMs === null ? texts.quality.none : seconds(talk.medianMs)],
    [t.cuts, String(talk.interruptions)],
    [t.cost, talk.cost === null ? texts.quality.none : `$${talk.cost.toFixed(4)}`],
    [t.session, talk.sessions.join(", ")],
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 rounded-xl border bg-card p-4 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className={cn("min-w-0", name === t.session && "col-span-2")}>
          <dt className="text-xs text-muted-foreground">{name}</dt>
          <dd className={cn("tabular-nums", name === t.session ? "font-mono text-xs break-all" : "font-medium")}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Files({ talk }: { talk: Talked }) {
  const name = fileName(talk);
  const save = (text: string, type: string, ending: string) => download(new Blob([text], { type }), `${name}.${ending}`);
  return (
    <section aria-label={t.download} className="grid gap-2 rounded-xl border bg-card p-4">
      <h3 className="text-sm font-semibold">{t.download}</h3>
      <Button onClick={() => download(stereoWav(talk), `${name}.wav`)}>{t.audio}</Button>
      <p className="text-xs text-muted-foreground">{t.audioHint}</p>
      <div className="grid grid-cols-2 gap-2 *:px-2">
        <Button onClick={() => save(toText(talk), "text/plain", "txt")}>{t.text}</Button>
        <Button onClick={() => save(toJson(talk), "application/json", "json")}>{t.json}</Button>
        <Button onClick={() => save(toVtt(talk), "text/vtt", "vtt")}>{t.captions}</Button>
        <Button onClick={() => download(new Blob(talk.journal.lines(), { type: "application/x-ndjson" }), `${name}.jsonl`)}>{t.journal}</Button>
      </div>
      <p className="text-xs text-muted-foreground">{t.forgotten}</p>
    </section>
  );
}
