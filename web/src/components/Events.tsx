/** The raw events of both sides. */

import { useState } from "react";
import type { EventLog } from "../realtime/log";
import { texts } from "../texts";
import { Button, Input } from "./ui";

const SHOWN = 300;

export function Events({ log }: { log: EventLog }) {
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const { entries } = log;
  const found = wanted === "" ? entries : entries.filter((entry) => entry.json.toLowerCase().includes(wanted));
  return (
    <div className="grid gap-3">
      <div className="flex items-end gap-2">
        <div className="flex-1">
          <Input
            label={texts.events.filter}
            placeholder={texts.events.filterPlaceholder}
            type="search"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
        </div>
        <Button onClick={() => download(log.text())} disabled={entries.length === 0}>
          {texts.events.download}
        </Button>
      </div>
      <p className="text-xs text-muted-foreground">
        {texts.events.count(found.length, entries.length)}. {texts.events.newest}
      </p>
      {entries.length === 0 && <p className="text-sm text-muted-foreground">{texts.events.none}</p>}
      <ol className="grid gap-1">
        {found
          .slice(-SHOWN)
          .reverse()
          .map((entry) => (
            <li key={entry.id} data-event={entry.type}>
              <details className="rounded-lg border bg-card">
                <summary className="flex items-baseline gap-2 px-3 py-1.5 text-xs">
                  <span className="w-14 shrink-0 text-right text-muted-foreground tabular-nums">{(entry.at / 1000).toFixed(2)}</span>
                  <span aria-hidden="true">{{ client: "↑", server: "↓", page: "•" }[entry.from]}</span>
                  <span className="sr-only">{texts.events.from[entry.from]}</span>
                  <span className="min-w-0 font-mono break-all">{entry.type}</span>
                </summary>
                <pre className="overflow-x-auto border-t px-3 py-2 font-mono text-xs whitespace-pre-wrap">{pretty(entry.json)}</pre>
              </details>
            </li>
          ))}
      </ol>
    </div>
  );
}

function pretty(json: string): string {
  return JSON.stringify(JSON.parse(json), null, 2);
}

function download(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `vivavoce-events-${new Date().toISOString().replace(/[:.]/g, "-")}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
