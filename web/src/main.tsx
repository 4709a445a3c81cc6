import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./index.css";
import { initial } from "./kept";
import { Session } from "./realtime/session";
import { DARK, dress, themeOf } from "./theme";
import { MODES } from "./ways/mode";
import { Work } from "./ways/work";

const { settings, linkTaken } = initial();
// Before anything is drawn, so that a dark page does not flash.
dress(themeOf(settings, matchMedia(DARK).matches));
const session = new Session(settings);
session.onColour = (colour) => {
  document.documentElement.dataset.colour = colour;
};
const work = new Work(session);
// A page that is left has its conversation ended at once.
addEventListener("pagehide", () => {
  session.stop();
  for (const mode of MODES) work.leave(mode);
});

createRoot(document.getElementById("root")!).render(<App session={session} work={work} linkTaken={linkTaken} />);
