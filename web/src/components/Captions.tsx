/** What both sides say, as it is said. */

import { memo, useEffect, useRef } from "react";
import type { Line } from "../realtime/talk";
import { texts } from "../texts";
import { ToolIcon } from "./icons";
import { cn } from "./ui";

export function Captions({
  lines,
  title = texts.emptyTitle,
  body = texts.emptyBody,
}: {
  lines: readonly Line[];
  /** What is said while there are no lines. */
  title?: string;
  body?: string;
}) {
  const end = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  // Who has scrolled back to read is left there.
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current) end.current?.scrollIntoView({ block: "end" });
  }, [lines]);
  const watch = () => {
    const place = box.current;
    if (place !== null) follows.current = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
  };
  return (
    <div ref={box} onScroll={watch} tabIndex={0} role="region" aria-label={texts.captions} className="relative min-h-0 flex-1 overflow-y-auto">
      {lines.length === 0 ? (
        <div className="grid h-full place-content-center gap-2 p-8 text-center">
          <p className="text-xl font-semibold">{title}</p>
          <p className="max-w-md text-sm text-muted-foreground">{body}</p>
        </div>
      ) : (
        <ol className="mx-auto flex max-w-3xl flex-col gap-4 p-4">
          {lines.map((line) => (
            <Caption key={line.id} line={line} />
          ))}
        </ol>
      )}
      <div ref={end} />
    </div>
  );
}

const Caption = memo(function Caption({ line }: { line: Line }) {
  if (line.kind === "tool") return <ToolCall line={line} />;
  if (line.kind === "note") {
    return (
      <li data-line="note" className={cn("text-center text-sm", line.state === "failed" ? "text-destructive" : "text-muted-foreground")}>
        {line.text}
      </li>
    );
  }
  const isUser = line.kind === "user";
  return (
    <li data-line={line.kind} data-state={line.state} className={cn("flex flex-col gap-1", isUser ? "items-end" : "items-start")}>
      <span className="px-1 text-xs font-medium text-muted-foreground">{isUser ? texts.you : texts.assistant}</span>
      <div
        className={cn(
          "max-w-[85%] rounded-2xl px-4 py-2.5 text-[0.95rem] leading-relaxed break-words whitespace-pre-wrap",
          isUser ? "rounded-tr-md bg-primary text-primary-foreground dark:bg-primary-soft dark:text-foreground" : "rounded-tl-md border bg-card",
        )}
      >
        {isUser ? <UserWords line={line} /> : <AssistantWords line={line} />}
      </div>
      {line.state === "cut" && (
        <span className="px-1 text-xs text-muted-foreground">
          {line.cutMs ? texts.cut((line.cutMs / 1000).toFixed(1)) : texts.cutAtOnce}
        </span>
      )}
    </li>
  );
});

function UserWords({ line }: { line: Line }) {
  if (line.state === "failed") return <em>{texts.notTranscribed}</em>;
  if (line.text === "") return <em>{line.state === "live" ? texts.hearingWords : texts.notHeard}</em>;
  return <span data-spoken>{line.text}</span>;
}

function AssistantWords({ line }: { line: Line }) {
  const spoken = line.text.slice(0, line.spoken);
  const rest = line.text.slice(line.spoken);
  return (
    <>
      <span data-spoken>{spoken}</span>
      {rest !== "" && line.state === "cut" && (
        <>
          <span className="sr-only"> {texts.unheardWords} </span>
          <s data-unspoken className="text-muted-foreground">
            {rest}
          </s>
        </>
      )}
      {rest !== "" && line.state === "live" && (
        <span data-coming className="text-muted-foreground">
          {rest}
        </span>
      )}
      {line.text === "" && <span className="text-muted-foreground">{texts.hearingWords}</span>}
    </>
  );
}

function ToolCall({ line }: { line: Line }) {
  const { name, arguments: given, output } = line.tool!;
  return (
    <li data-line="tool" data-state={line.state} className="flex justify-start">
      <details className="max-w-[85%] rounded-xl border bg-muted px-4 py-2 text-sm">
        <summary className="flex items-center gap-2">
          <ToolIcon />
          <span>
            {texts.tool.called} <code className="font-mono">{name}</code>
            {line.state === "live" && ` (${texts.tool.running})`}
          </span>
        </summary>
        <pre className="mt-2 overflow-x-auto font-mono text-xs whitespace-pre-wrap">{given}</pre>
        {output !== undefined && (
          <>
            <p className="mt-2 text-xs font-medium">{texts.tool.result}</p>
            <pre className="overflow-x-auto font-mono text-xs whitespace-pre-wrap">{output}</pre>
          </>
        )}
      </details>
    </li>
  );
}
