/** What the views of all ways of working are made of. */

import { type FormEvent, type ReactNode, useState } from "react";
import { KeyForm } from "../components/KeyForm";
import { Button, cn, Input, Notice, Select, Slider } from "../components/ui";
import { useMedia, WIDE } from "../hooks";
import type { Refusal } from "../realtime/access";
import { RANGES, type Settings, VOICES } from "../realtime/settings";
import { texts } from "../texts";
import { MODES, type Mode } from "./mode";

export function ModeSwitch({ mode }: { mode: Mode }) {
  return (
    <nav aria-label={texts.modesOfWork.label} className="order-last w-full sm:order-none sm:mx-auto sm:w-auto">
      <ul className="flex gap-1">
        {MODES.map((one) => (
          <li key={one} className="min-w-0 flex-auto sm:flex-none">
            <a
              href={`#${one}`}
              aria-current={one === mode ? "page" : undefined}
              className={cn(
                "flex min-h-9 items-center justify-center rounded-lg px-1 text-sm font-medium sm:px-3",
                one === mode ? "bg-primary-soft text-foreground underline decoration-2 underline-offset-4" : "text-muted-foreground hover:bg-muted hover:text-foreground",
              )}
            >
              {texts.modesOfWork[one]}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** A view with its options: beside it where there is room, or else folded above it. */
export function Workbench({
  mode,
  title,
  options,
  fold = texts.work.options,
  children,
}: {
  mode: Mode;
  title: string;
  options: ReactNode;
  /** What the options are called where they are folded. */
  fold?: string;
  children: ReactNode;
}) {
  const isWide = useMedia(WIDE);
  return (
    <main className="relative flex min-h-0 flex-1 flex-col lg:flex-row">
      <h2 className="sr-only">{title}</h2>
      {!isWide && (
        <details className="border-b bg-card">
          <summary className="px-4 py-2 text-sm font-medium">{fold}</summary>
          <div className="max-h-[50dvh] overflow-y-auto p-4 pt-1">{options}</div>
        </details>
      )}
      <section aria-label={texts.modesOfWork[mode]} id={`panel-${mode}`} tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col overflow-y-auto">
        {children}
      </section>
      {isWide && (
        <aside aria-label={fold} className="w-104 overflow-y-auto border-l p-4">
          {options}
        </aside>
      )}
    </main>
  );
}

/** Where a view's controls are: at its foot. */
export function Foot({ children }: { children: ReactNode }) {
  return (
    <div className="border-t bg-card px-4 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))]">
      <div className="mx-auto grid max-w-3xl grid-cols-1 gap-3">{children}</div>
    </div>
  );
}

/** What went wrong, why, and another attempt; a key is asked for where that is why. */
export function Failed({
  words,
  reason,
  message,
  more = "",
  action = texts.retry,
  onRetry,
  onCancel,
}: {
  words: string;
  reason: Refusal | "stopped" | "nothing";
  message: string;
  more?: string;
  action?: string;
  onRetry: () => void;
  onCancel: () => void;
}) {
  if (reason === "key") return <KeyForm message={message} onKey={onRetry} onCancel={onCancel} />;
  return (
    <Notice action={<Button onClick={onRetry}>{action}</Button>}>
      {[words, texts.work.refusals[reason], message, more].filter(Boolean).join(" ")}
    </Notice>
  );
}

export function Composer({ onSend }: { onSend: (words: string) => void }) {
  const [words, setWords] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words.trim() === "") return;
    onSend(words.trim());
    setWords("");
  };
  return (
    <form onSubmit={submit} className="flex gap-2">
      <input
        aria-label={texts.write}
        placeholder={texts.writePlaceholder}
        value={words}
        onChange={(event) => setWords(event.target.value)}
        className="min-h-11 min-w-0 flex-1 rounded-lg border border-input bg-card px-3 text-base placeholder:text-muted-foreground sm:text-sm"
      />
      <Button type="submit" variant="primary" className="min-h-11" disabled={words.trim() === ""}>
        {texts.send}
      </Button>
    </form>
  );
}

// ------------------------------------------------------------------------------------------------ settings that are shared

interface Own {
  settings: Settings;
  onChange: (settings: Settings) => void;
}

export function VoiceSelect({ value, onValue }: { value: string; onValue: (voice: string) => void }) {
  return <Select label={texts.settings.voice} value={value} options={VOICES.map((voice) => [voice, voice] as const)} onValue={onValue} />;
}

export function SpeedSlider({ value, range = RANGES.speed, onValue }: { value: number; range?: readonly [number, number, number]; onValue: (speed: number) => void }) {
  return <Slider label={texts.settings.speed} value={value} range={range} onValue={onValue} format={(speed) => `${speed.toFixed(2)} ×`} />;
}

/** What recordings are written down by. */
export function HearingFields({ settings, onChange }: Own) {
  const t = texts.settings;
  return (
    <>
      <Input
        label={t.transcriptionModel}
        value={settings.transcriptionModel}
        onChange={(event) => onChange({ ...settings, transcriptionModel: event.target.value })}
      />
      <Input
        label={t.language}
        hint={t.languageHint}
        maxLength={2}
        value={settings.language}
        onChange={(event) => onChange({ ...settings, language: event.target.value })}
      />
    </>
  );
}

export function VolumeSlider({ settings, onChange }: Own) {
  return (
    <Slider
      label={texts.volume}
      value={settings.volume}
      range={RANGES.volume}
      onValue={(volume) => onChange({ ...settings, volume })}
      format={(value) => `${Math.round(value * 100)} %`}
    />
  );
}
