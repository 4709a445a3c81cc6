/** Light and dark. */

import type { Settings } from "./realtime/settings";

export const DARK = "(prefers-color-scheme: dark)";

export function themeOf(settings: Settings, systemIsDark: boolean): "light" | "dark" {
  return settings.theme === "system" ? (systemIsDark ? "dark" : "light") : settings.theme;
}

export function dress(theme: "light" | "dark"): void {
  document.documentElement.dataset.theme = theme;
}
