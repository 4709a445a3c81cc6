/** Text to audio: paste a text, hear it, keep it. */

import { useEffect, useId, useSyncExternalStore } from "react";
import { SpeakerIcon, StopIcon } from "../components/icons";
import { Button, Card, Input, Notice } from "../components/ui";
import type { Settings } from "../realtime/settings";
import { texts } from "../texts";
import { Failed, Foot, SpeedSlider, VoiceSelect, VolumeSlider, Workbench } from "./parts";
import { MOST_CHARACTERS, type Reader, SPEEDS } from "./reader";
import { dated } from "./save";

const t = texts.speak;
const count = new Intl.NumberFormat("en");
const share = new Intl.NumberFormat("en", { style: "percent" });

export function SpeakView({ reader, settings, onChange }: { reader: Reader; settings: Settings; onChange: (settings: Settings) => void }) {
  useSyncExternalStore(reader.subscribe, reader.snapshot);
  useEffect(() => reader.setVolume(settings.volume), [reader, settings.volume]);
  const id = useId();
  const over = reader.text.length - MOST_CHARACTERS;
  const options = (
    <div className="grid gap-4">
      <Card title={texts.settings.voice}>
        <div className="grid gap-4">
          <Input label={texts.settings.model} value={settings.model} onChange={(event) => onChange({ ...settings, model: event.target.value })} />
          <VoiceSelect value={settings.voice} onValue={(voice) => onChange({ ...settings, voice })} />
          <SpeedSlider value={reader.speed ?? settings.speed} range={SPEEDS} onValue={(speed) => reader.choose({ speed })} />
          <VolumeSlider settings={settings} onChange={onChange} />
          <p className="text-xs text-muted-foreground">{t.long}</p>
        </div>
      </Card>
    </div>
  );
  return (
    <Workbench mode="speak" title={t.title} options={options}>
      <div className="mx-auto flex min-h-0 w-full max-w-3xl flex-1 flex-col gap-2 p-4">
        <div className="flex flex-wrap items-baseline justify-between gap-x-4">
          <label htmlFor={id} className="text-sm font-medium">
            {t.text}
          </label>
          <p id={`${id}-count`} className="text-xs text-muted-foreground tabular-nums">
            {t.count(count.format(reader.text.length), count.format(MOST_CHARACTERS))}
          </p>
        </div>
        <textarea
          id={id}
          aria-describedby={`${id}-count`}
          aria-invalid={over > 0}
          placeholder={t.placeholder}
          value={reader.text}
          onChange={(event) => reader.choose({ text: event.target.value })}
          className="min-h-24 w-full flex-1 resize-none rounded-lg border border-input bg-card p-3 text-base leading-relaxed placeholder:text-muted-foreground"
        />
      </div>
      <Foot>
        {over > 0 && <Notice>{t.tooLong(count.format(over))}</Notice>}
        {reader.isSilent && <Notice tone="plain">{t.silent}</Notice>}
        {reader.failure !== null && (
          <Failed
            words={t.failed}
            reason={reader.failure.refusal}
            message={reader.failure.message}
            more={t.kept}
            action={reader.progress.done > 0 ? t.goOn : texts.retry}
            onRetry={() => reader.retry()}
            onCancel={() => reader.dismiss()}
          />
        )}
        <Progress reader={reader} />
        <Buttons reader={reader} settings={settings} isTooLong={over > 0} />
      </Foot>
    </Workbench>
  );
}

function Progress({ reader }: { reader: Reader }) {
  const { progress, madeMs, file, isMaking } = reader;
  if (!isMaking && madeMs === 0) return null;
  const part = progress.done / progress.all;
  const seconds = texts.work.seconds(madeMs);
  const words = isMaking ? t.made(share.format(part), seconds) : part < 1 ? t.partly(seconds) : t.done(seconds);
  return (
    <div className="grid gap-2">
      {isMaking && <progress aria-label={t.progress} className="h-2 w-full accent-primary" max={progress.all} value={progress.done} />}
      <p role="status" data-testid="made" className="text-sm text-muted-foreground tabular-nums">
        {words}
      </p>
      {file !== null && !reader.isPlaying && (
        // The text is what is heard.
        <audio controls src={file} aria-label={t.again} className="h-11 w-full" />
      )}
    </div>
  );
}

function Buttons({ reader, settings, isTooLong }: { reader: Reader; settings: Settings; isTooLong: boolean }) {
  const { model, voice } = settings;
  const start = (isAloud: boolean) => {
    const wanted = { text: reader.text, model, voice, speed: reader.speed ?? settings.speed };
    void reader.start(wanted, isAloud);
  };
  const isEmpty = reader.text.trim() === "" || isTooLong;
  return (
    <div className="flex flex-wrap gap-2">
      {reader.isAtWork ? (
        <Button variant="destructive" className="min-h-12 flex-1" onClick={() => reader.stop()}>
          <StopIcon />
          {t.stop}
        </Button>
      ) : (
        <>
          <Button variant="primary" className="min-h-12 flex-1 text-base" disabled={isEmpty} onClick={() => start(true)}>
            <SpeakerIcon />
            {t.aloud}
          </Button>
          <Button className="min-h-12" disabled={isEmpty} onClick={() => start(false)}>
            {t.make}
          </Button>
        </>
      )}
      {reader.file !== null && (
        <a
          href={reader.file}
          download={dated("speech", "wav")}
          className="inline-flex min-h-12 items-center justify-center rounded-lg border border-input bg-card px-4 text-sm font-medium hover:bg-muted"
        >
          {t.save}
        </a>
      )}
    </div>
  );
}
