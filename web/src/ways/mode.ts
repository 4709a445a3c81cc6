/** Which way of working the page shows: the part of its address after `#` says so. */

import { useEffect, useState } from "react";
import { texts } from "../texts";

export type Mode = Exclude<keyof typeof texts.modesOfWork, "label">;
export const MODES: readonly Mode[] = ["talk", "classic", "transcribe", "speak"];

/** Return the way that a fragment names, or the panel that the skip link leads to; null for any other fragment. */
export function modeOf(fragment: string): Mode | null {
  const name = fragment.replace(/^#(panel-)?/, "");
  return MODES.find((mode) => mode === name) ?? null;
}

/** Return the way that the page shows; `onLeave` is told of the one before. */
export function useMode(onLeave: (mode: Mode) => void): Mode {
  const [mode, setMode] = useState<Mode>(() => modeOf(location.hash) ?? "talk");
  useEffect(() => {
    const follow = () => setMode((before) => (location.hash === "" ? "talk" : (modeOf(location.hash) ?? before)));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => () => onLeave(mode), [mode, onLeave]);
  return mode;
}
