/** The classic way of talking, and where the time of each question went. */

import { useEffect, useSyncExternalStore } from "react";
import { Captions } from "../components/Captions";
import { MicrophoneIcon, SendIcon, StopIcon } from "../components/icons";
import { Levels } from "../components/Levels";
import { Waterfall } from "../components/Timing";
import { Button, Card, cn, Input, Notice, Textarea } from "../components/ui";
import { useHeldSpace } from "../hooks";
import { bars, type Step } from "../realtime/latency";
import type { Settings } from "../realtime/settings";
import { texts } from "../texts";
import type { ClassicTalk } from "./classicTalk";
import { Composer, Failed, Foot, HearingFields, SpeedSlider, VoiceSelect, VolumeSlider, Workbench } from "./parts";

const t = texts.classic;
const SHOWN = 20;
/** The steps that the foot has room for. */
const TOLD = new Set<Step>(["transcribed", "firstToken", "firstSound"]);

export function ClassicView({ talk, settings, onChange }: { talk: ClassicTalk; settings: Settings; onChange: (settings: Settings) => void }) {
  useSyncExternalStore(talk.subscribe, talk.snapshot);
  useEffect(() => talk.setVolume(settings.volume), [talk, settings.volume]);
  useHeldSpace({
    isWanted: () => true,
    hold: () => (talk.isRecording ? talk.finish() : void talk.record()),
    letGo: () => talk.letGo(),
  });
  const { classic } = talk;
  return (
    <Workbench mode="classic" title={t.title} fold={t.fold} options={<Options talk={talk} settings={settings} onChange={onChange} />}>
      {/* On the smallest screens the whole view scrolls, so that the answer can be read whatever else is told. */}
      <div className="flex min-h-40 flex-1 flex-col">
        <Captions lines={classic.lines} title={t.emptyTitle} body={t.emptyBody} />
      </div>
      <p role="log" aria-live="polite" className="sr-only">
        {classic.announcement}
      </p>
      <Foot>
        <Troubles talk={talk} />
        <Controls talk={talk} />
        <Composer onSend={(words) => void talk.type(words)} />
      </Foot>
    </Workbench>
  );
}

function Controls({ talk }: { talk: ClassicTalk }) {
  const { classic, isRecording, isAsking } = talk;
  const toggle = () => (isRecording ? talk.finish() : void talk.record());
  return (
    <div className="flex flex-wrap items-start gap-2 sm:flex-nowrap">
      <div className="relative min-w-0 flex-1 max-sm:basis-full">
        <Levels session={talk} />
        <p data-testid="stage" role="status" className="mt-1 truncate text-center text-xs text-muted-foreground">
          {stateOf(talk)}
        </p>
      </div>
      <Button
        variant="primary"
        className={cn("h-14 flex-1 touch-none text-base select-none sm:flex-none sm:px-6", isRecording && "ring-4 ring-primary-soft")}
        data-push
        aria-pressed={isRecording}
        disabled={isAsking}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          toggle();
        }}
        onPointerUp={() => talk.letGo()}
        // The keyboard and screen readers press without a pointer.
        onClick={(event) => event.detail === 0 && toggle()}
        onContextMenu={(event) => event.preventDefault()}
      >
        {isRecording ? <SendIcon /> : <MicrophoneIcon />}
        {isRecording ? t.finish(texts.work.seconds(talk.recordedMs)) : t.record}
      </Button>
      {isRecording ? (
        <Button className="h-14" onClick={() => talk.discard()}>
          {t.discard}
        </Button>
      ) : (
        <Button className="h-14" disabled={!classic.isAtWork} onClick={() => talk.stop()}>
          <StopIcon />
          {t.stop}
        </Button>
      )}
    </div>
  );
}

function stateOf(talk: ClassicTalk): string {
  const { stages, isPlaying } = talk.classic;
  if (talk.isAsking) return t.opening;
  if (talk.isRecording) return texts.hearing;
  if (stages.length > 0) return stages.map((stage) => t.stages[stage]).join(", ");
  if (isPlaying) return t.stages.voice;
  const latest = talk.classic.turns.at(-1);
  const steps = latest === undefined ? [] : bars(latest).filter(({ step }) => TOLD.has(step));
  return steps.map(({ step, to }) => t.step(texts.timing.steps[step], Math.round(to))).join(" · ") || t.idle;
}

function Troubles({ talk }: { talk: ClassicTalk }) {
  const { failure } = talk.classic;
  return (
    <>
      {talk.microphone !== null && (
        <Notice action={<Button onClick={() => void talk.record()}>{texts.retry}</Button>}>
          {`${texts.troubles.microphone[talk.microphone]} ${texts.troubles.meanwhile}`}
        </Notice>
      )}
      {failure !== null && (
        <Failed
          words={t.failed[failure.stage]}
          reason={failure.reason}
          message={failure.reason === "nothing" ? t.nothing[failure.stage] : failure.message}
          more={failure.reason === "nothing" ? "" : t.kept[failure.stage]}
          onRetry={() => void talk.retry()}
          onCancel={() => talk.dismiss()}
        />
      )}
    </>
  );
}

function Options({ talk, settings, onChange }: { talk: ClassicTalk; settings: Settings; onChange: (settings: Settings) => void }) {
  const { classic } = talk;
  const set = (change: Partial<Settings>) => onChange({ ...settings, ...change });
  const turns = classic.turns.slice(-SHOWN).reverse();
  const longest = Math.max(1, ...turns.flatMap((turn) => bars(turn).map((bar) => bar.to)));
  return (
    <div className="grid gap-4">
      <Card title={texts.timing.title}>
        {turns.length === 0 ? (
          <p className="text-sm text-muted-foreground">{t.timingNone}</p>
        ) : (
          <ol className="grid gap-4">
            {turns.map((turn) => (
              <Waterfall key={turn.id} turn={turn} longest={longest} />
            ))}
          </ol>
        )}
      </Card>
      <Card title={texts.settings.groups.answers}>
        <div className="grid gap-4">
          <Input label={texts.settings.model} value={settings.model} onChange={(event) => set({ model: event.target.value })} />
          <Textarea
            label={texts.settings.instructions}
            rows={3}
            value={settings.instructions}
            onChange={(event) => set({ instructions: event.target.value })}
          />
          <VoiceSelect value={settings.voice} onValue={(voice) => set({ voice })} />
          <SpeedSlider value={settings.speed} onValue={(speed) => set({ speed })} />
          <VolumeSlider settings={settings} onChange={onChange} />
        </div>
      </Card>
      <Card title={texts.settings.groups.hearing}>
        <div className="grid gap-4">
          <HearingFields settings={settings} onChange={onChange} />
        </div>
      </Card>
      <div>
        <Button variant="ghost" disabled={classic.lines.length === 0} onClick={() => talk.clear()}>
          {t.clear}
        </Button>
      </div>
    </div>
  );
}
