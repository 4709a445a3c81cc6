/** All that can be set, each change at once. */

import { useEffect, useState } from "react";
import { canChooseSpeaker, devices } from "../audio/devices";
import { models } from "../realtime/access";
import type { Session } from "../realtime/session";
import { DEFAULTS, LEAST_IDLE_MS, needsNewConnection, RANGES, type Settings, toFragment, VOICES } from "../realtime/settings";
import { texts } from "../texts";
import { VoicePicture } from "./VoicePicture";
import { Button, Card, Input, Select, Slider, Switch, Textarea } from "./ui";

const t = texts.settings;

type Choice<Name extends keyof Settings> = Extract<Settings[Name], string>;

export function SettingsForm({
  session,
  settings,
  onChange,
}: {
  session: Session;
  settings: Settings;
  onChange: (settings: Settings) => void;
}) {
  const set = (change: Partial<Settings>) => onChange({ ...settings, ...change });
  const select = <Name extends keyof Settings>(name: Name, label: string, options: Record<string, string>, hint?: string) => (
    <Select
      label={label}
      hint={hint}
      value={settings[name] as string}
      options={Object.entries(options)}
      onValue={(value) => set({ [name]: value as Choice<Name> })}
    />
  );
  const slide = (name: keyof typeof RANGES, label: string, hint?: string, format?: (value: number) => string) => (
    <Slider
      label={label}
      hint={hint}
      value={settings[name]}
      range={RANGES[name]}
      onValue={(value) => set({ [name]: value })}
      {...(format && { format })}
    />
  );
  const toggle = (name: keyof Settings, label: string, hint?: string) => (
    <Switch label={label} hint={hint} checked={settings[name] as boolean} onValue={(value) => set({ [name]: value })} />
  );
  const isHandsFree = settings.mode === "hands-free";
  const isStale = session.phase === "live" && needsNewConnection(session.connectedWith, settings);
  const isOtherRoad = session.phase === "live" && session.connectedWith.road !== settings.road;
  const roadHint = isOtherRoad ? t.reconnect : settings.road === "webrtc" ? t.roadHint : undefined;
  return (
    <div className="grid gap-4">
      <Card title={t.groups.way}>
        <div className="grid gap-4">
          {select("mode", t.mode, t.modes)}
          {select("road", t.road, t.roads, roadHint)}
          <Devices session={session} />
          {slide("volume", texts.volume, undefined, (value) => `${Math.round(value * 100)} %`)}
        </div>
      </Card>
      <Card title={t.groups.answers}>
        <div className="grid gap-4">
          <Model settings={settings} onModel={(model) => set({ model })} hint={isStale && !isOtherRoad ? t.reconnect : undefined} />
          {select("shape", t.shape, t.shapes)}
          {select("voice", t.voice, Object.fromEntries(VOICES.map((voice) => [voice, voice])))}
          <Textarea
            label={t.instructions}
            rows={3}
            value={settings.instructions}
            onChange={(event) => set({ instructions: event.target.value })}
          />
          {slide("speed", t.speed, undefined, (value) => `${value.toFixed(2)} ×`)}
          {settings.shape === "beta" && slide("temperature", t.temperature, t.temperatureHint, (value) => value.toFixed(2))}
          {toggle("tools", t.tools, t.toolsHint)}
        </div>
      </Card>
      {isHandsFree && (
        <Card title={t.groups.turns}>
          <div className="grid gap-4">
            {select("detection", t.detection, t.detections)}
            <VoicePicture session={session} threshold={settings.detection === "server_vad" ? settings.threshold : null} />
            {settings.detection === "server_vad" ? (
              <>
                {slide("threshold", t.threshold, undefined, (value) => value.toFixed(2))}
                {slide("silenceMs", t.silenceMs)}
                {slide("prefixMs", t.prefixMs)}
                {slide("idleMs", t.idleMs, t.idleHint, (value) => (value < LEAST_IDLE_MS ? t.never : String(value)))}
              </>
            ) : (
              select("eagerness", t.eagerness, t.eagernesses)
            )}
            {toggle("createResponse", t.createResponse)}
            {toggle("interruptResponse", t.interruptResponse)}
            {settings.interruptResponse && select("interruption", t.interruption, t.interruptions)}
          </div>
        </Card>
      )}
      <Card title={t.groups.hearing}>
        <div className="grid gap-4">
          <Input label={t.transcriptionModel} value={settings.transcriptionModel} onChange={(event) => set({ transcriptionModel: event.target.value })} />
          <Input label={t.language} hint={t.languageHint} maxLength={2} value={settings.language} onChange={(event) => set({ language: event.target.value })} />
          {select("noiseReduction", t.noiseReduction, t.noiseReductions)}
        </div>
      </Card>
      <Card title={t.groups.sound}>
        <div className="grid gap-4">
          {toggle("echoCancellation", t.echoCancellation, t.browserHint)}
          {toggle("noiseSuppression", t.noiseSuppression)}
          {toggle("autoGain", t.autoGain)}
          {select("theme", texts.theme.label, { system: texts.theme.system, light: texts.theme.light, dark: texts.theme.dark })}
        </div>
      </Card>
      <Share settings={settings} onReset={() => onChange(DEFAULTS)} />
    </div>
  );
}

function Devices({ session }: { session: Session }) {
  const [found, setFound] = useState<Record<"audioinput" | "audiooutput", { id: string; name: string }[]>>({
    audioinput: [],
    audiooutput: [],
  });
  const { isListening } = session;
  useEffect(() => {
    const look = async () => setFound({ audioinput: await devices("audioinput"), audiooutput: await devices("audiooutput") });
    void look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, [isListening]);
  const options = (kind: keyof typeof found) =>
    [["", texts.usual] as const, ...found[kind].map(({ id, name }) => [id, name] as const)];
  return (
    <>
      <Select label={texts.microphone} value={session.microphoneId} options={options("audioinput")} onValue={(id) => void session.chooseMicrophone(id)} />
      {canChooseSpeaker() && (
        <Select label={texts.speaker} value={session.speakerId} options={options("audiooutput")} onValue={(id) => void session.chooseSpeaker(id)} />
      )}
    </>
  );
}

function Model({ settings, onModel, hint }: { settings: Settings; onModel: (model: string) => void; hint?: string | undefined }) {
  const [names, setNames] = useState<string[]>([]);
  useEffect(() => {
    // Without the list, as where a key is needed first, the name is typed in.
    models().then(setNames, () => setNames([]));
  }, []);
  return (
    <>
      <Input label={t.model} hint={hint} list="models" value={settings.model} onChange={(event) => onModel(event.target.value)} />
      <datalist id="models">
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

function Share({ settings, onReset }: { settings: Settings; onReset: () => void }) {
  const [state, setState] = useState<"ready" | "copied" | "shown">("ready");
  const address = new URL(toFragment(settings) || "#", document.baseURI).href.replace(/#$/, "");
  useEffect(() => setState("ready"), [settings]);
  const copy = () =>
    navigator.clipboard?.writeText(address).then(
      () => setState("copied"),
      () => setState("shown"),
    ) ?? setState("shown");
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap gap-2">
        <Button onClick={copy}>{state === "copied" ? t.copied : t.link}</Button>
        <Button variant="ghost" onClick={onReset}>
          {t.reset}
        </Button>
      </div>
      <p role="status" className="sr-only">
        {state === "copied" ? t.copied : ""}
      </p>
      {state === "shown" && <Input label={t.linkShown} readOnly value={address} onFocus={(event) => event.target.select()} />}
    </div>
  );
}
