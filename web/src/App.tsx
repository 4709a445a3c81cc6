/** The page: the conversation, and beside or behind it timing, settings and events. */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { Events } from "./components/Events";
import { LogoIcon, MoonIcon, SunIcon } from "./components/icons";
import { SettingsForm } from "./components/SettingsForm";
import { TalkView } from "./components/TalkView";
import { Timing } from "./components/Timing";
import { cn, IconButton, Notice, Tabs } from "./components/ui";
import type { Session } from "./realtime/session";
import type { Settings } from "./realtime/settings";
import { texts } from "./texts";
import { useMedia, useSpaceToTalk, WIDE } from "./hooks";
import { keep } from "./kept";
import { DARK, dress, themeOf } from "./theme";
import { type Mode, useMode } from "./ways/mode";
import { ModeSwitch } from "./ways/parts";
import { WorkView } from "./ways/WorkView";
import type { Work } from "./ways/work";

type View = keyof typeof texts.views;
const VIEWS = Object.entries(texts.views) as [View, string][];

export function App({ session, work, linkTaken }: { session: Session; work: Work; linkTaken: boolean }) {
  useSyncExternalStore(session.subscribe, session.snapshot);
  const { settings } = session;
  const [view, setView] = useState<View>("talk");
  const leave = useCallback((mode: Mode) => (mode === "talk" ? session.stop() : work.leave(mode)), [session, work]);
  const mode = useMode(leave);
  const isWide = useMedia(WIDE);
  const theme = useTheme(settings);
  useSpaceToTalk(session);
  const change = (next: Settings) => {
    keep(next);
    session.change(next);
  };
  const panel = isWide && view === "talk" ? "timing" : view;
  const tabs = isWide ? VIEWS.filter(([name]) => name !== "talk") : VIEWS;
  return (
    <div className="relative flex h-dvh flex-col overflow-hidden">
      <a href={`#panel-${mode}`} className="sr-only focus:not-sr-only focus:absolute focus:z-10 focus:m-2 focus:rounded-lg focus:bg-card focus:px-4 focus:py-2">
        {texts.skip}
      </a>
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b bg-card px-4 py-2.5">
        <LogoIcon />
        <div className="min-w-0">
          <h1 className="leading-tight font-semibold">{texts.title}</h1>
          <p className="truncate text-xs text-muted-foreground max-sm:hidden">{texts.tagline}</p>
        </div>
        <ModeSwitch mode={mode} />
        <div className="ml-auto flex items-center gap-2 sm:ml-0">
          {mode === "talk" && (
            <p role="status" className="flex items-center gap-2 rounded-full border px-3 py-1 text-xs font-medium whitespace-nowrap">
              <span aria-hidden="true" className={cn("size-2 rounded-full", DOTS[session.phase])} />
              {texts.phases[session.phase]}
            </p>
          )}
          <IconButton
            variant="ghost"
            label={texts.theme.toggle + (theme === "dark" ? texts.theme.light : texts.theme.dark).toLowerCase()}
            onClick={() => change({ ...settings, theme: theme === "dark" ? "light" : "dark" })}
          >
            {theme === "dark" ? <SunIcon /> : <MoonIcon />}
          </IconButton>
        </div>
      </header>
      {linkTaken && session.phase === "idle" && (
        <div className="px-4 pt-3">
          <Notice tone="plain">{texts.settings.linkTaken}</Notice>
        </div>
      )}
      {mode === "talk" ? (
        <>
          {!isWide && (
            <nav className="px-4 pt-3">
              <Tabs label={texts.panels} tabs={tabs} chosen={view} onChoose={setView} />
            </nav>
          )}
          <main className="flex min-h-0 flex-1">
            <section aria-label={texts.conversation} id="panel-talk" tabIndex={-1} className={cn("flex min-h-0 min-w-0 flex-1 flex-col", !isWide && view !== "talk" && "hidden")}>
              <h2 className="sr-only">{texts.views.talk}</h2>
              <TalkView session={session} />
            </section>
            {(isWide || view !== "talk") && (
              <section aria-label={texts.panels} className={cn("flex min-h-0 flex-col gap-4 p-4", isWide ? "w-104 border-l" : "w-full")}>
                {isWide && <Tabs label={texts.panels} tabs={tabs} chosen={panel} onChoose={setView} />}
                <div
                  role="tabpanel"
                  id={`panel-${panel}`}
                  aria-labelledby={`tab-${panel}`}
                  tabIndex={0}
                  className="relative -m-1 min-h-0 flex-1 overflow-y-auto p-1"
                >
                  <h2 className="sr-only">{texts.views[panel]}</h2>
                  {panel === "settings" && <SettingsForm session={session} settings={settings} onChange={change} />}
                  {panel === "events" && <Events log={session.log} />}
                  {panel === "timing" && <Timing turns={session.talk.turns} quality={session.quality} cost={session.talk.cost} />}
                </div>
              </section>
            )}
          </main>
        </>
      ) : (
        <WorkView mode={mode} work={work} settings={settings} onChange={change} />
      )}
    </div>
  );
}

const DOTS = {
  idle: "bg-muted-foreground",
  connecting: "bg-primary",
  live: "bg-ok",
  reconnecting: "bg-destructive",
} as const;

/** Dress the page whenever that changes, and return how it is dressed. */
function useTheme(settings: Settings): "light" | "dark" {
  const theme = themeOf(settings, useMedia(DARK));
  useEffect(() => dress(theme), [theme]);
  return theme;
}
