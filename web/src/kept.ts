/** The settings as this browser keeps them. */

import { fromFragment, read, type Settings } from "./realtime/settings";

const NAME = "vivavoce.settings";

/** Return the settings to begin with, and whether a link brought them. */
export function initial(): { settings: Settings; linkTaken: boolean } {
  const own = read(stored());
  const brought = fromFragment(location.hash, own);
  if (brought === null) return { settings: own, linkTaken: false };
  keep(brought);
  // Otherwise the link would undo later changes whenever the page is loaded again.
  history.replaceState(null, "", location.pathname + location.search);
  return { settings: brought, linkTaken: true };
}

export function keep(settings: Settings): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing begins with the usual settings the next time.
  }
}

function stored(): unknown {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "null") as unknown;
  } catch {
    return null;
  }
}
