/** What the page asks of the browser. */

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Session } from "./realtime/session";

/** Room for a view and a panel beside each other. */
export const WIDE = "(min-width: 64rem)";

/** Return whether a media query holds, as long as the page is there. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}

/** Elements for which the space bar means something else. */
const TAKES_SPACE = "input, textarea, select, summary, a, button:not([data-push])";

interface Held {
  isWanted(): boolean;
  hold(): void;
  letGo(): void;
}

/** Hold the space bar to talk, wherever it has no other meaning. */
export function useSpaceToTalk(session: Session): void {
  useHeldSpace({
    isWanted: () => session.settings.mode === "push-to-talk" && session.phase === "live",
    hold: () => session.push(),
    letGo: () => session.letGo(),
  });
}

/** Have something done while the space bar is held, wherever it has no other meaning. */
export function useHeldSpace(held: Held): void {
  const latest = useRef(held);
  latest.current = held;
  useEffect(() => {
    let isHeld = false;
    const down = (event: KeyboardEvent) => {
      if (event.code !== "Space" || (event.target as Element).closest(TAKES_SPACE) || !latest.current.isWanted()) return;
      event.preventDefault();
      if (event.repeat) return;
      isHeld = true;
      latest.current.hold();
    };
    const up = (event: KeyboardEvent) => {
      if (event.code !== "Space" || !isHeld) return;
      event.preventDefault();
      away();
    };
    const away = () => {
      if (isHeld) latest.current.letGo();
      isHeld = false;
    };
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", away);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", away);
    };
  }, []);
}
