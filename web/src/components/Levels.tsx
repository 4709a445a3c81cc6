/** Both voices as they sound, drawn outside of React: sixty times a second is too often for it. */

import { useEffect, useRef } from "react";
import { texts } from "../texts";

const BAR = 4;
const GAP = 3;
/** Screen frames for which each bar gathers. */
const FRAMES = 3;
/** Screen frames between two words to screen readers. */
const TOLD_FRAMES = 30;

export interface Sounding {
  /** The level of either side, from 0 to 1. */
  level(side: "microphone" | "speaker"): number;
}

export function Levels({ session }: { session: Sounding }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const own = useRef<HTMLDivElement>(null);
  const theirs = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const history: [number, number][] = [];
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let frame = 0;
    let count = 0;
    const draw = () => {
      frame = requestAnimationFrame(draw);
      const levels: [number, number] = [session.level("microphone"), session.level("speaker")];
      if (count % TOLD_FRAMES === 0) {
        for (const [i, meter] of [own.current, theirs.current].entries()) {
          meter?.setAttribute("aria-valuenow", String(Math.round(levels[i]! * 100)));
        }
      }
      if (count++ % FRAMES === 0) history.push([0, 0]);
      const last = history.at(-1)!;
      last[0] = Math.max(last[0], levels[0]);
      last[1] = Math.max(last[1], levels[1]);
      if (canvas.current !== null) paint(canvas.current, history, still.matches);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [session]);

  const meter = { role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 } as const;
  return (
    <div className="relative h-14 w-full overflow-hidden rounded-lg bg-muted">
      <canvas ref={canvas} aria-hidden="true" className="h-full w-full" />
      <div ref={own} {...meter} aria-label={texts.levels.microphone} className="sr-only" />
      <div ref={theirs} {...meter} aria-label={texts.levels.speaker} className="sr-only" />
    </div>
  );
}

/** Draw one's own voice upwards and the answer downwards; where motion is unwelcome, the present levels alone. */
function paint(canvas: HTMLCanvasElement, history: [number, number][], isStill: boolean): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const colours = getComputedStyle(document.documentElement);
  const [own, theirs] = [colours.getPropertyValue("--ok"), colours.getPropertyValue("--primary")];
  const middle = height / 2;
  const room = middle - 4;
  if (isStill) {
    const [up, down] = history.at(-1)!;
    history.length = 0;
    bar(pen, own, 8, middle - 10, (width - 16) * up, 6);
    bar(pen, theirs, 8, middle + 4, (width - 16) * down, 6);
    return;
  }
  const places = Math.floor(width / (BAR + GAP));
  if (history.length > places) history.splice(0, history.length - places);
  history.forEach(([up, down], i) => {
    const x = width - (history.length - i) * (BAR + GAP);
    bar(pen, own, x, middle - 1 - Math.max(1, up * room), BAR, Math.max(1, up * room));
    bar(pen, theirs, x, middle + 1, BAR, Math.max(1, down * room));
  });
}

function bar(pen: CanvasRenderingContext2D, colour: string, x: number, y: number, width: number, height: number): void {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, width, height, 2);
  pen.fill();
}
