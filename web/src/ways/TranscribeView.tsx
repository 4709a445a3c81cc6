/** Transcription: of the microphone while somebody speaks, or of a file. */

import { type DragEvent, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { MicrophoneIcon, StopIcon } from "../components/icons";
import { Levels } from "../components/Levels";
import { Button, Card, cn, Notice, Select, Slider } from "../components/ui";
import { RANGES, type Settings } from "../realtime/settings";
import { texts } from "../texts";
import { Failed, Foot, HearingFields, Workbench } from "./parts";
import { copyText, dated, saveFile } from "./save";
import type { Scribe } from "./scribe";
import { plainText, srt, vtt } from "./subtitles";
import type { Sureness, Utterance } from "./transcript";
import { clockOf, LOOKS, Words } from "./Words";

const t = texts.transcribe;
const FORMATS = { txt: plainText, srt, vtt } as const;

export function TranscribeView({ scribe, settings, onChange }: { scribe: Scribe; settings: Settings; onChange: (settings: Settings) => void }) {
  useSyncExternalStore(scribe.subscribe, scribe.snapshot);
  const { utterances } = scribe.transcript;
  const last = utterances.findLast(({ state }) => state !== "live");
  return (
    <Workbench mode="transcribe" title={t.title} options={<Options settings={settings} onChange={onChange} />}>
      <Page scribe={scribe} />
      <p role="log" aria-live="polite" className="sr-only">
        {last?.words.map((word) => word.text).join(" ")}
      </p>
      <Foot>
        <Troubles scribe={scribe} />
        <Controls scribe={scribe} />
        <Export utterances={utterances} scribe={scribe} />
      </Foot>
    </Workbench>
  );
}

/** The transcript with its legend; recordings can be dropped on it. */
function Page({ scribe }: { scribe: Scribe }) {
  const { utterances } = scribe.transcript;
  const [figure, setFigure] = useState("");
  const [isOver, setIsOver] = useState(false);
  const end = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  // Who has scrolled back to read is left there.
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && scribe.phase !== "idle") end.current?.scrollIntoView({ block: "end" });
  }, [utterances, scribe.phase]);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    const file = event.dataTransfer.files[0];
    if (file !== undefined) void scribe.read(file);
  };
  return (
    <>
      <div
        ref={box}
        onScroll={() => {
          const place = box.current!;
          follows.current = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
        }}
        onDragOver={(event) => {
          event.preventDefault();
          setIsOver(true);
        }}
        onDragLeave={() => setIsOver(false)}
        onDrop={drop}
        className={cn("relative min-h-0 flex-1 overflow-y-auto", isOver && "bg-primary-soft")}
      >
        {utterances.length === 0 ? (
          <div className="grid h-full place-content-center gap-2 p-8 text-center">
            <p className="text-xl font-semibold">{t.emptyTitle}</p>
            <p className="max-w-md text-sm text-muted-foreground">{scribe.isOfFile ? t.silent : t.emptyBody}</p>
          </div>
        ) : (
          <Words utterances={utterances} onFigure={setFigure} />
        )}
        <div ref={end} />
      </div>
      {utterances.length > 0 && (
        <div className="border-t bg-card px-4 py-2 text-xs">
          <div className="mx-auto flex max-w-3xl flex-wrap items-baseline gap-x-4 gap-y-1">
            <Legend />
            <p role="status" data-testid="figure" className="min-h-4 text-muted-foreground sm:ml-auto">
              {figure || <span className="max-sm:hidden">{t.hint}</span>}
            </p>
          </div>
        </div>
      )}
    </>
  );
}

function Legend() {
  const told: Sureness[] = ["sure", "fair", "poor"];
  return (
    <ul aria-label={t.legend} className="flex gap-4">
      {told.map((one) => (
        <li key={one} className={LOOKS[one]}>
          {t.sureness[one]}
        </li>
      ))}
    </ul>
  );
}

function Controls({ scribe }: { scribe: Scribe }) {
  const { phase } = scribe;
  const isOn = phase !== "idle" && phase !== "reading";
  const canGoOn = scribe.transcript.utterances.length > 0 && !scribe.isOfFile;
  if (phase === "reading") {
    return (
      <div className="flex items-center gap-3">
        <p role="status" className="min-w-0 flex-1 truncate text-sm">
          {t.reading(scribe.file?.name ?? "")}
        </p>
        <Button onClick={() => scribe.cancel()}>{t.cancel}</Button>
      </div>
    );
  }
  if (isOn) {
    return (
      <div className="flex items-start gap-2">
        <div className="relative min-w-0 flex-1">
          <Levels session={scribe} />
          <p role="status" data-testid="phase" className="mt-1 truncate text-center text-xs text-muted-foreground">
            {t.phases[phase]} <span className="tabular-nums">{clockOf(scribe.recordedMs)}</span>
          </p>
        </div>
        <Button variant="destructive" className="h-14" disabled={phase === "finishing"} onClick={() => scribe.stop()}>
          <StopIcon />
          {t.stop}
        </Button>
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-2 sm:flex-row">
      <Button variant="primary" className="min-h-12 flex-1 text-base" onClick={() => void scribe.start()}>
        <MicrophoneIcon />
        {canGoOn ? t.goOn : t.start}
      </Button>
      <label className="relative inline-flex min-h-12 cursor-pointer flex-col items-center justify-center rounded-lg border border-input bg-card px-4 text-sm font-medium hover:bg-muted focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-primary">
        <input
          type="file"
          accept="audio/*,video/mp4,video/webm,.wav,.mp3,.ogg,.opus,.m4a,.flac,.webm"
          className="absolute inset-0 cursor-pointer opacity-0"
          onChange={(event) => {
            const file = event.target.files?.[0];
            // The same file can be chosen again.
            event.target.value = "";
            if (file !== undefined) void scribe.read(file);
          }}
        />
        {t.file}
        <span className="text-xs font-normal text-muted-foreground">{t.drop}</span>
      </label>
    </div>
  );
}

function Troubles({ scribe }: { scribe: Scribe }) {
  const { trouble } = scribe;
  if (trouble === null) return null;
  if (trouble.of === "server") return <Notice>{trouble.message}</Notice>;
  if (trouble.of === "microphone") {
    const words = `${texts.troubles.microphone[trouble.trouble]} ${t.meanwhile}`;
    return <Notice action={<Button onClick={() => void scribe.start()}>{texts.retry}</Button>}>{words}</Notice>;
  }
  if (scribe.phase === "reconnecting") return <Notice>{`${texts.work.refusals[trouble.refusal]} ${t.again}`}</Notice>;
  return <Failed words="" reason={trouble.refusal} message={trouble.message} onRetry={() => scribe.retry()} onCancel={() => scribe.dismiss()} />;
}

function Export({ utterances, scribe }: { utterances: readonly Utterance[]; scribe: Scribe }) {
  const [state, setState] = useState<"ready" | "copied" | "refused">("ready");
  useEffect(() => setState("ready"), [utterances]);
  const count = utterances.reduce((sum, { words }) => sum + words.length, 0);
  if (count === 0) {
    return scribe.previous === null || scribe.phase !== "idle" ? null : (
      <Button variant="ghost" onClick={() => scribe.undo()}>
        {t.undo}
      </Button>
    );
  }
  return (
    <div className="flex flex-wrap items-center gap-2">
      <div role="group" aria-label={t.save} className="flex items-center gap-2">
        <span aria-hidden="true" className="text-xs text-muted-foreground max-sm:hidden">
          {t.save}
        </span>
        {Object.entries(FORMATS).map(([ending, write]) => (
          <Button
            key={ending}
            className="px-3"
            onClick={() => saveFile(dated("transcript", ending), new Blob([write(utterances)], { type: "text/plain" }))}
          >
            {t.formats[ending as keyof typeof FORMATS]}
          </Button>
        ))}
      </div>
      <Button className="px-3" onClick={async () => setState((await copyText(plainText(utterances))) ? "copied" : "refused")}>
        {state === "copied" ? t.copied : t.copy}
      </Button>
      {scribe.phase === "idle" && (
        <Button variant="ghost" className="px-3" onClick={() => scribe.clear()}>
          {t.clear}
        </Button>
      )}
      <p role="status" className={cn("text-xs text-muted-foreground", state !== "refused" && "sr-only")}>
        {state === "copied" ? t.copied : state === "refused" ? t.notCopied : ""}
      </p>
      <p className="ml-auto text-xs text-muted-foreground tabular-nums max-sm:hidden">{t.words(count)}</p>
    </div>
  );
}

function Options({ settings, onChange }: { settings: Settings; onChange: (settings: Settings) => void }) {
  const set = (change: Partial<Settings>) => onChange({ ...settings, ...change });
  const s = texts.settings;
  return (
    <div className="grid gap-4">
      <Card title={s.groups.hearing}>
        <div className="grid gap-4">
          <HearingFields settings={settings} onChange={onChange} />
          <Slider label={s.silenceMs} value={settings.silenceMs} range={RANGES.silenceMs} onValue={(silenceMs) => set({ silenceMs })} />
          <Slider
            label={s.threshold}
            value={settings.threshold}
            range={RANGES.threshold}
            onValue={(threshold) => set({ threshold })}
            format={(value) => value.toFixed(2)}
          />
          <Select
            label={s.noiseReduction}
            value={settings.noiseReduction}
            options={Object.entries(s.noiseReductions)}
            onValue={(value) => set({ noiseReduction: value as Settings["noiseReduction"] })}
          />
        </div>
      </Card>
    </div>
  );
}
