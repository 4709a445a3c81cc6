/** A visitor's conversation at work: the road to the server, the sound and the timers around a `Talk`. */

import { NoMicrophone, type MicrophoneTrouble, Sound } from "../audio/devices";
import { fromBase64 } from "../audio/pcm";
import type { Captured } from "../audio/capture.worklet";
import type { PlaybackNews } from "../audio/player";
import type { Recorder } from "../review/recorder";
import { Shelf } from "../review/shelf";
import { texts } from "../texts";
import { clientSecret, NoAccess, openSocket, type Refusal, roundTrip } from "./access";
import { MOST_ATTEMPTS, parting, waitMs } from "./backoff";
import { SentClock } from "./clock";
import type { Link } from "./link";
import { type Entry, EventLog } from "./log";
import { PeerRoad, type PeerTraveller } from "./peer";
import { type Ending, type Road, SocketRoad, type Traveller } from "./road";
import { NoRoad } from "./signalling";
import { needsNewConnection, type Settings, toSession } from "./settings";
import { type Effect, Talk } from "./talk";
import { call, type Colour, TOOLS } from "./tools";
import { ASKED, PROBABILITY, VoiceWatch } from "./voice";
import { type ClientEvent, decode, number, record, type ServerEvent, text } from "./wire";

export type Phase = "idle" | "connecting" | "live" | "reconnecting";

export interface Quality {
  roundTripMs: number | null;
  stockMs: number;
  gaps: number;
  playedMs: number;
  /** Bytes that wait to be sent. */
  queued: number;
  /** How the connection does; null but by WebRTC. */
  link: Link | null;
}

/** What stops a conversation from being held, or a part of it. */
export type Trouble =
  | { of: "microphone"; trouble: MicrophoneTrouble }
  | { of: "access"; refusal: Refusal; message: string }
  | { of: "sound" };

/** A shorter push holds no word. */
const SHORTEST_PUSH_MS = 200;
/** By WebRTC, what the last word of a push takes from the microphone to the network: more than its message does. */
const PUSH_TAIL_MS = 150;
/** How often the connection is looked at; by WebRTC the browser knows how it does without asking anybody. */
const MEASURE_MS = { websocket: 5000, webrtc: 1000 } as const;
/** How often a track is forgotten by the server that is only heard while a button is held: it never stops. */
const FORGET_MS = 60_000;
/** How often the words light up of what the server plays. */
const TICK_MS = 100;
/** How long a setting rests before the server is told: a text is not told letter by letter. */
const SETTLED_MS = 400;
/** Between two looks at figures that change all the time. */
const LOOK_MS = 250;
/** An extension, of which a server that does not know it tells an error. */
const COST = "response.usage.cost";
/** Before the server's first word, what a microphone's frame and its way to the page may take: 100 ms. */
const EARLIER_SAMPLES = 2400;
/** More than this waiting to be sent is sound that nobody would answer in time any more. */
const MOST_QUEUED = 512 * 1024;

export class Session {
  phase: Phase = "idle";
  readonly log = new EventLog();
  readonly talk: Talk;
  /** Talks that are over, to look back at. */
  readonly shelf = new Shelf();
  /** What is told of the microphone's voice while somebody looks. */
  readonly voice = new VoiceWatch();
  quality: Quality = { roundTripMs: null, stockMs: 0, gaps: 0, playedMs: 0, queued: 0, link: null };
  trouble: Trouble | null = null;
  microphone: MicrophoneTrouble | null = null;
  isMuted = false;
  /** Whether the browser was asked for the microphone and has not answered. */
  isAsking = false;
  isPushed = false;
  /** Whether the visitor wants to be heard, or only to write. */
  wantsMicrophone = true;
  microphoneId = "";
  speakerId = "";
  /** The settings that the present connection was opened with. */
  connectedWith: Settings;
  onColour: (colour: Colour) => void = () => {};

  private readonly listeners = new Set<() => void>();
  private version = 0;
  private announced = false;
  private readonly clock = new SentClock();
  private sound: Sound | null = null;
  private recorder: Recorder | null = null;
  private road: Road | null = null;
  /** Whether WebRTC was tried in this conversation and did not get through. */
  private isBlocked = false;
  /** Whether the server plays the answers. */
  private isPlayedThere = false;
  /** When the media was connected. */
  private mediaSince = 0;
  /** When the first microphone was joined to the connection, which is when the server begins to count. */
  private trackSince: number | null = null;
  private forgotAt = 0;
  /** Counts conversations, so that what belongs to an earlier one is known and dropped. */
  private era = 0;
  private attempt = 0;
  private resume = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private measuring: ReturnType<typeof setInterval> | undefined;
  private telling: ReturnType<typeof setTimeout> | undefined;
  private ticking: ReturnType<typeof setInterval> | undefined;
  /** The settings that the server was told last. */
  private told: Settings;
  private pushedAt = 0;
  private flushes = 0;
  private lookedAt = 0;
  private isReady = false;
  private isVoiceWatched = false;
  /** Whether the end of a push is on its way. */
  private isSettling = false;

  constructor(public settings: Settings) {
    this.connectedWith = settings;
    this.told = settings;
    this.talk = new Talk({
      clock: this.clock,
      silenceMs: () => this.silenceMs,
      isInterruptible: () => this.settings.interruptResponse,
      isPlayedThere: () => this.isPlayedThere,
      soundDelayMs: () => (this.quality.link?.bufferMs ?? 0) + (this.sound?.outputDelayMs ?? 0),
    });
  }

  // ---------------------------------------------------------------------------------------------------- for the page

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): number => this.version;

  level(side: "microphone" | "speaker"): number {
    return this.sound?.level(side) ?? 0;
  }

  get isListening(): boolean {
    return this.sound?.isListening ?? false;
  }

  /** Begin a conversation; to be called when the visitor has just clicked. */
  async start(wantsMicrophone: boolean): Promise<void> {
    this.stop();
    const era = ++this.era;
    this.phase = "connecting";
    this.trouble = null;
    this.microphone = null;
    this.wantsMicrophone = wantsMicrophone;
    this.attempt = 0;
    this.resume = "";
    this.isBlocked = false;
    if (this.talk.lines.length > 0) this.talk.remark(texts.notes.another);
    this.changed();
    try {
      const sound = await Sound.open();
      if (era !== this.era) return sound.close();
      this.attach(sound);
    } catch (error) {
      const trouble = await soundTrouble(error);
      if (era !== this.era) return;
      this.trouble = trouble;
      this.phase = "idle";
      this.changed();
      return;
    }
    const listening = wantsMicrophone ? this.listen() : Promise.resolve();
    await Promise.all([listening, this.connect(era)]);
  }

  stop(): void {
    this.era += 1;
    clearTimeout(this.timer);
    this.rest();
    this.talk.end();
    this.road?.close();
    this.road = null;
    void this.silence();
    this.phase = "idle";
    this.changed();
  }

  /** Let the sound go, and keep the talk as soon as the last of it is told. */
  private async silence(): Promise<void> {
    const { sound, recorder } = this;
    this.look();
    this.sound = this.recorder = null;
    if (sound === null) return;
    const end = sound.now;
    if (recorder !== null) sound.onPlayed = ({ item, pcm, at }) => recorder.played(item, pcm, at);
    await sound.close();
    if (recorder === null) return;
    this.shelf.keep(recorder, end);
    this.changed();
  }

  /** Learn whether somebody looks at how likely the server takes it that the visitor speaks. */
  watchVoice(isWatched: boolean): void {
    this.isVoiceWatched = isWatched;
    if (!isWatched) this.voice.forget();
    if (!this.isReady) return;
    if (isWatched) this.askForVoice();
    else this.include("optional-cost", [COST]);
  }

  type(words: string): void {
    if (this.isReady) this.perform(this.talk.type(words, performance.now()));
  }

  interrupt(): void {
    this.perform(this.talk.interrupt());
  }

  push(): void {
    if (!this.isReady || this.isPushed || this.isSettling || !this.isListening || this.settings.mode !== "push-to-talk") return;
    this.isPushed = true;
    this.pushedAt = performance.now();
    this.perform(this.talk.hold());
    this.gate();
  }

  letGo(): void {
    if (!this.isPushed) return;
    this.isPushed = false;
    const now = performance.now();
    const isWord = now - this.pushedAt >= SHORTEST_PUSH_MS && this.isReady;
    if (!isWord) this.talk.remark(texts.notes.tooShort);
    const { era } = this;
    const settle = () => {
      if (era !== this.era) return;
      this.isSettling = false;
      this.gate();
      this.perform(isWord ? this.talk.release(now) : this.talk.abandon());
    };
    this.isSettling = isWord && this.road?.name === "webrtc";
    if (this.isSettling) setTimeout(settle, PUSH_TAIL_MS);
    else settle();
  }

  mute(isMuted: boolean): void {
    this.isMuted = isMuted;
    if (this.sound !== null) this.sound.isMuted = isMuted;
    this.gate();
    this.changed();
  }

  /** Let the microphone's track be heard or not; by WebSocket its frames are sent or not. */
  private gate(): void {
    const { sound, settings } = this;
    if (!sound?.track) return;
    const isOpen = settings.mode === "hands-free" || this.isPushed || this.isSettling;
    sound.track.enabled = this.road?.name !== "webrtc" || (isOpen && !this.isMuted);
  }

  /** Listen to the microphone, or to another one. */
  async listen(): Promise<void> {
    const { sound } = this;
    if (sound === null) return;
    const { echoCancellation, noiseSuppression, autoGain } = this.settings;
    this.isAsking = true;
    this.changed();
    try {
      await sound.listen({ deviceId: this.microphoneId, echoCancellation, noiseSuppression, autoGain });
      this.microphone = null;
    } catch (error) {
      this.microphone = error instanceof NoMicrophone ? error.trouble : "failed";
    }
    this.isAsking = false;
    this.changed();
  }

  async chooseMicrophone(id: string): Promise<void> {
    this.microphoneId = id;
    if (this.isListening) await this.listen();
  }

  async chooseSpeaker(id: string): Promise<void> {
    this.speakerId = id;
    try {
      await this.sound?.playOn(id);
    } catch {
      this.talk.remark(texts.notes.noSpeaker, "failed");
    }
    this.changed();
  }

  /** Take other settings, and tell the server of them at once. */
  change(settings: Settings): void {
    const before = this.settings;
    this.settings = settings;
    this.sound?.setVolume(settings.volume);
    this.gate();
    const processing = (one: Settings) => [one.echoCancellation, one.noiseSuppression, one.autoGain].join();
    if (this.isListening && processing(before) !== processing(settings)) void this.listen();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tellChanges(), SETTLED_MS);
    this.changed();
  }

  private tellChanges(): void {
    const [told, wanted] = [this.told, this.settings].map((one) => JSON.stringify(toSession(one, TOOLS)));
    if (this.isReady && told !== wanted && !needsNewConnection(this.connectedWith, this.settings)) this.configure(false);
  }

  // ------------------------------------------------------------------------------------------------- the connection

  private async connect(era: number): Promise<void> {
    try {
      const secret = await clientSecret(this.settings);
      if (era !== this.era) return;
      this.connectedWith = this.settings;
      if (this.settings.road === "webrtc" && !this.isBlocked) await this.call(era, secret);
      else this.travel(new SocketRoad(openSocket(this.settings, secret, this.resume), this.traveller(era)));
    } catch (error) {
      if (era !== this.era) return;
      if (error instanceof NoRoad) this.goRound(error.message);
      else this.refused(error);
    }
  }

  private traveller(era: number): Traveller {
    return {
      receive: (frame) => this.receive(frame),
      closed: (ending) => {
        if (era === this.era) this.closed(ending);
      },
    };
  }

  private async call(era: number, secret: string): Promise<void> {
    const { shape, model } = this.settings;
    const traveller: PeerTraveller = {
      ...this.traveller(era),
      heard: (stream) => this.hear(stream),
      connected: () => {
        this.mediaSince = performance.now();
      },
      refused: (error) => {
        if (era === this.era) this.refused(error);
      },
    };
    const peer = await PeerRoad.open({ secret, shape, query: { model, resume: this.resume } }, traveller);
    if (era !== this.era) return peer.close();
    this.travel(peer);
    const track = this.sound?.track ?? null;
    this.trackSince = track && performance.now();
    await peer.setTrack(track);
  }

  private travel(road: Road): void {
    this.road = road;
    this.isPlayedThere = road.name === "webrtc";
    this.gate();
  }

  /** Take the WebSocket, where WebRTC does not get through. */
  private goRound(reason: string): void {
    this.isBlocked = true;
    this.road = null;
    this.sound?.playRemote(null);
    this.note("page", { type: "webrtc.blocked", reason });
    const isFirefoxAtHome = navigator.userAgent.includes("Firefox/") && /^(localhost|127\.)/.test(location.hostname);
    this.talk.remark(isFirefoxAtHome ? texts.notes.firefoxAtHome : texts.notes.goneRound, "failed");
    this.changed();
    void this.connect(this.era);
  }

  private refused(error: unknown): void {
    const refused = error instanceof NoAccess ? error : new NoAccess("refused", String(error));
    this.note("page", { type: "access.refused", refusal: refused.refusal, message: refused.message });
    const isPassing = refused.refusal === "unreachable" || refused.refusal === "busy";
    this.failed({ of: "access", refusal: refused.refusal, message: refused.message }, isPassing);
  }

  private closed({ code, reason, hasOpened, isBlocked }: Ending): void {
    if (isBlocked) return this.goRound(reason);
    this.rest();
    this.perform(this.talk.lose());
    this.road = null;
    this.sound?.playRemote(null);
    this.note("page", { type: "road.closed", code, reason });
    const meaning = parting(code);
    if (meaning === "again") {
      this.failed({ of: "access", refusal: hasOpened ? "unreachable" : "busy", message: reason }, true);
      return;
    }
    this.talk.remark(texts.partings[meaning], meaning === "fatal" ? "failed" : "done");
    this.stop();
  }

  /** What ends with a connection. */
  private rest(): void {
    this.isReady = this.isPushed = this.isSettling = false;
    clearInterval(this.measuring);
    clearInterval(this.ticking);
    clearTimeout(this.telling);
    this.quality = { ...this.quality, link: null };
  }

  private failed(trouble: Trouble, isPassing: boolean): void {
    if (!isPassing || this.attempt >= MOST_ATTEMPTS) {
      this.stop();
      this.trouble = trouble;
      this.changed();
      return;
    }
    this.trouble = trouble;
    // A visitor who has not been let in yet is told at once and tries by hand.
    if (this.phase === "connecting") {
      this.stop();
      this.trouble = trouble;
      this.changed();
      return;
    }
    this.phase = "reconnecting";
    const era = this.era;
    this.timer = setTimeout(() => void this.connect(era), waitMs(this.attempt, Math.random()));
    this.attempt += 1;
    this.changed();
  }

  private receive(frame: string): void {
    const now = performance.now();
    const event = decode(frame);
    if (event === null) return;
    this.note("server", event);
    this.voice.receive(event, now);
    if (event.type === "session.created") this.created(record(event.session));
    if (event.type === PROBABILITY) return;
    this.perform(this.talk.receive(event, now));
  }

  private created(session: Record<string, unknown>): void {
    const resume = record(session.resume);
    const wasAway = this.phase === "reconnecting";
    const isResumed = (number(resume.items) ?? 0) > 0;
    this.resume = text(resume.token);
    this.phase = "live";
    this.trouble = null;
    this.attempt = 0;
    this.resetClock();
    this.isReady = true;
    if (wasAway) this.talk.remark(isResumed ? texts.notes.resumed : texts.notes.begunAnew);
    // A conversation that goes on has its settings, of which a voice that was heard cannot be set again.
    if (isResumed) this.tellChanges();
    else this.configure(true);
    this.voice.forget();
    if (this.isVoiceWatched) this.askForVoice();
    clearInterval(this.measuring);
    clearInterval(this.ticking);
    this.measuring = setInterval(() => void this.measure(), MEASURE_MS[this.road?.name ?? "websocket"]);
    if (this.isPlayedThere) this.ticking = setInterval(() => this.tick(), TICK_MS);
    void this.measure();
  }

  private resetClock(): void {
    this.clock.reset(this.isPlayedThere ? Math.max(this.mediaSince, this.trackSince ?? 0) : null);
  }

  /** Tell the server the settings; all of them, or without a voice that it may have spoken with already. */
  private configure(isNew: boolean): void {
    const session = toSession(this.settings, TOOLS) as Record<string, unknown>;
    if (!isNew && this.told.voice === this.settings.voice) withoutVoice(session);
    this.told = this.settings;
    this.send({ type: "session.update", session });
    if (!isNew) return;
    this.include("optional-cost", [COST]);
  }

  /** Ask for extensions, by themselves: a server that does not know them refuses this alone. */
  private include(eventId: string, include: string[]): void {
    const kind = this.settings.shape === "ga" ? { type: "realtime" } : {};
    this.send({ type: "session.update", event_id: eventId, session: { ...kind, include } });
  }

  private askForVoice(): void {
    this.voice.ask(performance.now());
    this.include(ASKED, [COST, PROBABILITY]);
  }

  private async measure(): Promise<void> {
    const { road } = this;
    const link = road instanceof PeerRoad ? await road.link() : null;
    const roundTripMs = road instanceof PeerRoad ? (link?.roundTripMs ?? null) : await roundTrip();
    if (road !== this.road) return;
    this.quality = { ...this.quality, roundTripMs, link, queued: road?.queued ?? 0 };
    this.changed();
  }

  /** What the server plays goes on, and what it hears. */
  private tick(): void {
    const now = performance.now();
    const isHeard = this.settings.mode === "hands-free" || this.isPushed || this.isSettling;
    if (isHeard) this.forgotAt = now;
    else if (now - this.forgotAt > FORGET_MS) {
      this.forgotAt = now;
      this.send({ type: "input_audio_buffer.clear" });
    }
    if (!this.talk.isPlaying) return;
    this.talk.receiveTime(now);
    this.quality = { ...this.quality, playedMs: this.quality.playedMs + TICK_MS };
    this.changed();
  }

  private send(event: ClientEvent): void {
    if (this.road?.send(JSON.stringify(event))) this.note("client", event);
    else if (this.isReady) this.talk.remark(texts.notes.notSent(event.type), "failed");
  }

  // ----------------------------------------------------------------------------------------------- what is kept of it

  private note(from: Entry["from"], event: ClientEvent | ServerEvent): void {
    this.log.add(from, event, performance.now());
    if (this.sound === null) return;
    if (event.type === "session.created") this.recorder ??= this.record(this.sound);
    this.recorder?.note(from, event, this.sound.now);
  }

  private record(sound: Sound): Recorder {
    return this.shelf.begin({
      // A frame that is sent at once was heard a little before.
      zero: sound.now - EARLIER_SAMPLES,
      began: Date.now(),
      silenceMs: () => this.silenceMs,
      before: this.talk,
    });
  }

  private look(): void {
    if (this.sound !== null) this.recorder?.see(this.talk.lines, this.talk.turns, this.sound.now, performance.now());
  }

  /** Silence that a turn's end includes. */
  private get silenceMs(): number {
    return this.settings.detection === "server_vad" ? this.settings.silenceMs : 0;
  }

  // ------------------------------------------------------------------------------------------------------ the sound

  private attach(sound: Sound): void {
    this.sound = sound;
    sound.isMuted = this.isMuted;
    sound.setVolume(this.settings.volume);
    if (this.speakerId !== "") void this.chooseSpeaker(this.speakerId);
    sound.onFrame = (audio, now, frame) => this.heard(audio, now, frame);
    sound.onPlayed = ({ item, pcm, at }) => this.recorder?.played(item, pcm, at);
    sound.onTrack = (track) => {
      this.gate();
      if (!(this.road instanceof PeerRoad)) return;
      void this.road.setTrack(track);
      if (track === null || this.trackSince !== null) return;
      this.trackSince = performance.now();
      if (this.isReady) this.resetClock();
    };
    sound.onMicrophoneLost = () => {
      this.microphone = "absent";
      this.letGo();
      this.changed();
    };
    sound.onPlayback = (news) => {
      // What the server plays is no matter of this loudspeaker's.
      if (sound === this.sound && !this.isPlayedThere) this.played(news, sound.outputDelayMs);
    };
  }

  private played(news: PlaybackNews, outputDelayMs: number): void {
    const now = performance.now();
    const { lines, isPlaying } = this.talk;
    const effects = this.talk.receivePlayback(news, news.news === "began" ? now + outputDelayMs : now);
    if (news.news === "flushed" && news.playing !== null && this.sound !== null) {
      this.recorder?.cut(news.playing.item, news.playing.ms, this.sound.now);
    }
    if (news.news !== "state") return this.perform(effects);
    // This comes fifty times a second, and seldom shows.
    if (lines !== this.talk.lines || isPlaying !== this.talk.isPlaying) this.changed();
    const { stockMs, gaps, totalMs: playedMs } = news;
    const isNew = stockMs !== this.quality.stockMs || gaps !== this.quality.gaps || playedMs !== this.quality.playedMs;
    if (!isNew || (now - this.lookedAt < LOOK_MS && isPlaying === this.talk.isPlaying)) return;
    this.lookedAt = now;
    this.quality = { ...this.quality, stockMs, gaps, playedMs };
    this.changed();
  }

  /** Play the answers that come as a track. */
  private hear(stream: MediaStream): void {
    const remote = this.sound?.playRemote(stream);
    if (!remote) return;
    remote.onBlocked = () => {
      this.talk.remark(texts.notes.clickToHear);
      this.changed();
    };
    remote.onFrame = ({ pcm, at }) => {
      if (this.talk.isPlaying && !remote.isHushed) this.recorder?.played(this.talk.itemThere, pcm, at);
    };
  }

  private heard(audio: string, now: number, frame: Captured): void {
    // A track goes by itself, and is silent where the microphone is not wanted.
    if (this.isReady && this.isPlayedThere) return this.recorder?.sent(frame.pcm, frame.at);
    const isWanted = this.settings.mode === "hands-free" || this.isPushed;
    if (!this.isReady || !isWanted || (this.road?.queued ?? 0) > MOST_QUEUED) return;
    this.clock.sentFrame(now);
    this.recorder?.sent(frame.pcm, frame.at);
    this.send({ type: "input_audio_buffer.append", audio });
  }

  private perform(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.do === "send") this.send(effect.event);
      else if (effect.do === "play") {
        this.sound?.order({ order: "add", item: effect.item, part: effect.part, pcm: fromBase64(effect.audio) });
      } else if (effect.do === "end") this.sound?.order({ order: "end" });
      else if (effect.do === "flush") this.sound?.order({ order: "flush", id: ++this.flushes });
      else if (effect.do === "duck") this.sound?.duck(effect.softly);
      else if (effect.do === "hush") this.sound?.remote?.hush(effect.isHushed);
      else {
        const output = call(effect.name, effect.arguments, this.onColour, new Date());
        this.perform(this.talk.answerCall(effect.callId, output));
      }
    }
    this.changed();
  }

  /** Have the page drawn anew, once for all that happens before the next frame of the screen. */
  private changed(): void {
    this.look();
    if (this.announced) return;
    this.announced = true;
    // Pages in the background get no frames, and are told late or by the next sound.
    const tell = () => {
      if (!this.announced) return;
      this.announced = false;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    requestAnimationFrame(tell);
    if (document.hidden) setTimeout(tell, 100);
  }
}

/** Return why there is no sound; its worklets come from the server, which may be gone. */
async function soundTrouble(error: unknown): Promise<Trouble> {
  if (error instanceof NoMicrophone) return { of: "microphone", trouble: error.trouble };
  if ((await roundTrip()) === null) return { of: "access", refusal: "unreachable", message: "" };
  return { of: "sound" };
}

function withoutVoice(session: Record<string, unknown>): void {
  delete session.voice;
  const output = record(record(session.audio).output);
  delete output.voice;
}
