import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./index.css";
import { initial } from "./kept";
import { Session } from "./realtime/session";

const { settings, linkTaken } = initial();
const session = new Session(settings);
session.onColour = (colour) => {
  document.documentElement.dataset.colour = colour;
};
// A page that is left has its conversation ended at once.
addEventListener("pagehide", () => session.stop());

createRoot(document.getElementById("root")!).render(<App session={session} linkTaken={linkTaken} />);
