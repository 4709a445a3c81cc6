/** The view of one way of working beside the conversation. */

import type { Settings } from "../realtime/settings";
import { ClassicView } from "./ClassicView";
import type { Mode } from "./mode";
import { SpeakView } from "./SpeakView";
import { TranscribeView } from "./TranscribeView";
import type { Work } from "./work";

export function WorkView({
  mode,
  work,
  settings,
  onChange,
}: {
  mode: Exclude<Mode, "talk">;
  work: Work;
  settings: Settings;
  onChange: (settings: Settings) => void;
}) {
  const own = { settings, onChange };
  if (mode === "classic") return <ClassicView talk={work.classic} {...own} />;
  if (mode === "transcribe") return <TranscribeView scribe={work.transcribe} {...own} />;
  return <SpeakView reader={work.speak} {...own} />;
}
