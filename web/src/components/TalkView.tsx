/** The conversation and everything that one holds it with. */

import { type FormEvent, type ReactNode, useState } from "react";
import type { Session, Trouble } from "../realtime/session";
import { LookBack } from "../review/LookBack";
import { texts } from "../texts";
import { Captions } from "./Captions";
import { KeyForm } from "./KeyForm";
import { MicrophoneIcon, MutedIcon, SendIcon, StopIcon } from "./icons";
import { Levels } from "./Levels";
import { Button, cn, IconButton, Notice } from "./ui";

export function TalkView({ session }: { session: Session }) {
  const { talk, phase } = session;
  const isOn = phase !== "idle";
  return (
    <>
      <Captions lines={talk.lines} />
      <p role="log" aria-live="polite" className="sr-only">
        {talk.announcement}
      </p>
      <div className="border-t bg-card px-4 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))]">
        <div className="mx-auto grid max-w-3xl grid-cols-1 gap-3">
          <Troubles session={session} />
          {isOn ? <Controls session={session} /> : <Start session={session} />}
        </div>
      </div>
    </>
  );
}

function Start({ session }: { session: Session }) {
  if (session.trouble?.of === "access" && session.trouble.refusal === "key") return null;
  return (
    <div className="flex flex-wrap gap-2">
      <Button variant="primary" className="min-h-12 min-w-full flex-1 text-base sm:min-w-0" onClick={() => void session.start(true)}>
        <MicrophoneIcon />
        {texts.start}
      </Button>
      <Button className="min-h-12 flex-1 sm:flex-none" onClick={() => void session.start(false)}>
        {texts.startTyping}
      </Button>
      <LookBack session={session} />
    </div>
  );
}

function Controls({ session }: { session: Session }) {
  const { talk, phase } = session;
  const isLive = phase === "live";
  const isPush = session.settings.mode === "push-to-talk" && session.isListening;
  return (
    <>
      <div className="flex items-start gap-2">
        {session.isListening && (
          <IconButton
            label={session.isMuted ? texts.unmute : texts.mute}
            aria-pressed={session.isMuted}
            className="h-14 w-12"
            variant={session.isMuted ? "destructive" : "outline"}
            onClick={() => session.mute(!session.isMuted)}
          >
            {session.isMuted ? <MutedIcon /> : <MicrophoneIcon />}
          </IconButton>
        )}
        <div className="relative min-w-0 flex-1">
          <Levels session={session} />
          <p data-testid="state" className="mt-1 truncate text-center text-xs text-muted-foreground">
            {stateOf(session)}
          </p>
        </div>
        <IconButton label={texts.interrupt} className="h-14 w-12" disabled={!isLive || !(talk.isPlaying || talk.isAnswering)} onClick={() => session.interrupt()}>
          <StopIcon />
        </IconButton>
        <Button variant="destructive" className="h-14 px-3 sm:px-4" onClick={() => session.stop()}>
          {texts.stop}
        </Button>
      </div>
      {isPush && <PushButton session={session} />}
      <Composer session={session} isLive={isLive} />
    </>
  );
}

function stateOf(session: Session): string {
  const { talk, phase } = session;
  if (phase !== "live") return texts.phases[phase];
  if (talk.isPlaying || talk.isAnswering) return texts.answering;
  if (!session.isListening) return session.isAsking ? texts.asking : texts.noMicHint;
  if (session.isMuted) return texts.mutedHint;
  if (talk.isUserSpeaking) return texts.hearing;
  return session.settings.mode === "push-to-talk" ? texts.ready : texts.listening;
}

function PushButton({ session }: { session: Session }) {
  const { isPushed } = session;
  return (
    <Button
      variant="primary"
      className={cn("min-h-14 touch-none text-base select-none", isPushed && "ring-4 ring-primary-soft")}
      disabled={session.phase !== "live"}
      data-push
      aria-pressed={isPushed}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        session.push();
      }}
      onPointerUp={() => session.letGo()}
      onPointerCancel={() => session.letGo()}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.repeat) session.push();
      }}
      onKeyUp={(event) => {
        if (event.key === "Enter") session.letGo();
      }}
      onBlur={() => session.letGo()}
      onContextMenu={(event) => event.preventDefault()}
    >
      <MicrophoneIcon />
      {isPushed ? texts.holding : texts.hold}
      {!isPushed && <span className="text-xs font-normal pointer-coarse:hidden">{texts.holdHint}</span>}
    </Button>
  );
}

function Composer({ session, isLive }: { session: Session; isLive: boolean }) {
  const [words, setWords] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words.trim() === "" || !isLive) return;
    session.type(words.trim());
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
      <IconButton label={texts.send} type="submit" variant="primary" disabled={!isLive || words.trim() === ""}>
        <SendIcon />
      </IconButton>
    </form>
  );
}

function Troubles({ session }: { session: Session }) {
  const { trouble, microphone, phase } = session;
  if (trouble?.of === "access" && trouble.refusal === "key") {
    const cancel = () => {
      session.trouble = null;
      session.stop();
    };
    return <KeyForm message={trouble.message} onKey={() => void session.start(session.wantsMicrophone)} onCancel={cancel} />;
  }
  return (
    <>
      {trouble !== null && (
        <Notice>
          {wordsOf(trouble)}
          {phase === "reconnecting" && ` ${texts.troubles.again}`}
        </Notice>
      )}
      {microphone !== null && phase !== "idle" && (
        <Notice
          action={
            <Button onClick={() => void session.listen()}>
              {texts.retry}
            </Button>
          }
        >
          {`${texts.troubles.microphone[microphone]} ${texts.troubles.meanwhile}`}
        </Notice>
      )}
    </>
  );
}

function wordsOf(trouble: Trouble): ReactNode {
  if (trouble.of === "sound") return texts.troubles.sound;
  if (trouble.of === "microphone") return texts.troubles.microphone[trouble.trouble];
  const words = texts.troubles.access[trouble.refusal];
  return trouble.message === "" ? words : `${words} ${trouble.message}`;
}
