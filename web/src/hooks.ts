/** What the page asks of the browser. */

import { useEffect, useSyncExternalStore } from "react";
import type { Session } from "./realtime/session";

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

/** Hold the space bar to talk, wherever it has no other meaning. */
export function useSpaceToTalk(session: Session): void {
  useEffect(() => {
    const isMine = (event: KeyboardEvent) =>
      event.code === "Space" && session.settings.mode === "push-to-talk" && !(event.target as Element).closest(TAKES_SPACE);
    const down = (event: KeyboardEvent) => {
      if (!isMine(event) || session.phase !== "live") return;
      event.preventDefault();
      if (!event.repeat) session.push();
    };
    const up = (event: KeyboardEvent) => {
      if (event.code !== "Space" || !session.isPushed) return;
      event.preventDefault();
      session.letGo();
    };
    const away = () => session.letGo();
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", away);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", away);
    };
  }, [session]);
}
