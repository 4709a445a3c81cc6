/** Where the time of each turn went, and how the connection does. */

import { bars, medianTotal, type Step, total, type Turn } from "../realtime/latency";
import type { Link } from "../realtime/link";
import type { Quality } from "../realtime/session";
import { texts } from "../texts";
import { Card } from "./ui";

const SHOWN = 20;
const COLOURS: Record<Step, string> = {
  stopped: "fill-slate-500",
  committed: "fill-sky-500",
  transcribed: "fill-teal-500",
  created: "fill-amber-500",
  firstToken: "fill-orange-500",
  firstAudio: "fill-fuchsia-500",
  firstSound: "fill-primary",
};

const percent = (value: number | null) => (value === null ? texts.quality.none : `${value.toFixed(1)} %`);
const ms = (value: number | null) => (value === null ? texts.quality.none : `${Math.round(value)} ms`);

export function Timing({ turns, quality, cost }: { turns: readonly Turn[]; quality: Quality; cost: number | null }) {
  const shown = turns.slice(-SHOWN).reverse();
  const longest = Math.max(1, ...shown.flatMap((turn) => bars(turn).map((bar) => bar.to)));
  return (
    <div className="grid gap-4">
      <Card
        title={texts.timing.title}
        aside={<span className="text-xs text-muted-foreground">{texts.timing.turns(turns.length)}</span>}
      >
        <p className="mb-4 flex items-baseline justify-between gap-2">
          <span className="text-sm text-muted-foreground">{texts.timing.median}</span>
          <strong data-testid="median" className="text-2xl font-semibold tabular-nums">
            {ms(medianTotal(turns))}
          </strong>
        </p>
        {shown.length === 0 ? (
          <p className="text-sm text-muted-foreground">{texts.timing.none}</p>
        ) : (
          <ol className="grid gap-4">
            {shown.map((turn) => (
              <Waterfall key={turn.id} turn={turn} longest={longest} />
            ))}
          </ol>
        )}
      </Card>
      <Card title={texts.quality.title}>
        <dl className="grid grid-cols-2 gap-x-4 gap-y-3 text-sm">
          <Fact name={texts.quality.roundTrip} value={ms(quality.roundTripMs)} />
          {quality.link === null ? (
            <>
              <Fact name={texts.quality.stock} value={ms(quality.stockMs)} />
              <Fact name={texts.quality.gaps} value={String(quality.gaps)} />
            </>
          ) : (
            <LinkFacts link={quality.link} />
          )}
          <Fact name={texts.quality.queued} value={`${Math.round(quality.queued / 1024)} kB`} />
          <Fact name={texts.quality.played} value={`${(quality.playedMs / 1000).toFixed(1)} s`} testId="played" />
          <Fact name={texts.quality.cost} value={cost === null ? texts.quality.none : `$${cost.toFixed(4)}`} />
        </dl>
      </Card>
    </div>
  );
}

function LinkFacts({ link }: { link: Link }) {
  const t = texts.quality;
  return (
    <>
      <Fact name={t.jitter} value={`${link.jitterMs.toFixed(1)} ms`} testId="jitter" />
      <Fact name={t.lost} value={percent(link.lossPercent)} testId="lost" />
      <Fact name={t.sentLost} value={percent(link.sentLossPercent)} />
      <Fact name={t.concealed} value={percent(link.concealedPercent)} testId="concealed" />
      <Fact name={t.stock} value={ms(link.bufferMs)} />
      <Fact name={t.route} value={`${link.protocol}, ${t.routes[link.route]}`} testId="route" />
    </>
  );
}

function Fact({ name, value, testId }: { name: string; value: string; testId?: string }) {
  return (
    <div>
      <dt className="text-xs text-muted-foreground">{name}</dt>
      <dd data-testid={testId} className="font-medium tabular-nums">
        {value}
      </dd>
    </div>
  );
}

/** The steps of a turn, as bars on the scale of the longest. */
export function Waterfall({ turn, longest }: { turn: Turn; longest: number }) {
  const whole = total(turn);
  return (
    <li data-turn={turn.kind}>
      <div className="mb-1 flex justify-between text-xs">
        <span className="font-medium">{texts.timing.kinds[turn.kind]}</span>
        <span className="tabular-nums">{whole === null ? texts.timing.notSounded : ms(whole)}</span>
      </div>
      <ul aria-label={texts.timing.legend} className="grid gap-1">
        {bars(turn).map((bar) => (
          <li key={bar.step} data-step={bar.step} className="grid grid-cols-[6.500rem_1fr_3.500rem] items-center gap-2 text-xs">
            <span className="truncate text-muted-foreground">{texts.timing.steps[bar.step]}</span>
            <svg aria-hidden="true" className="h-2.5 w-full rounded bg-muted" preserveAspectRatio="none" viewBox="0 0 1000 10">
              <Stretch bar={bar} longest={longest} />
            </svg>
            <span className="text-right tabular-nums">{ms(bar.to)}</span>
          </li>
        ))}
      </ul>
    </li>
  );
}

function Stretch({ bar, longest }: { bar: { step: Step; from: number; to: number }; longest: number }) {
  const x = (bar.from / longest) * 1000;
  const width = Math.max(6, ((bar.to - bar.from) / longest) * 1000);
  return <rect x={Math.min(x, 994)} y="0" width={width} height="10" className={COLOURS[bar.step]} />;
}
