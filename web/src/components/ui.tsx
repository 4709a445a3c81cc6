/** The page's building blocks, in the manner of shadcn/ui, on the browser's own controls. */

import { type ComponentProps, type ReactNode, useId, useRef } from "react";

export function cn(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}

const VARIANTS = {
  primary: "bg-primary text-primary-foreground hover:opacity-90",
  outline: "border border-input bg-card hover:bg-muted",
  ghost: "hover:bg-muted",
  destructive: "border border-destructive text-destructive bg-card hover:bg-destructive-soft",
} as const;

export function Button({
  variant = "outline",
  className,
  ...rest
}: ComponentProps<"button"> & { variant?: keyof typeof VARIANTS }) {
  return (
    <button
      type="button"
      className={cn(
        "inline-flex min-h-10 items-center justify-center gap-2 rounded-lg px-4 text-sm font-medium whitespace-nowrap",
        "transition-colors disabled:opacity-50",
        VARIANTS[variant],
        className,
      )}
      {...rest}
    />
  );
}

export function IconButton({ label, className, ...rest }: ComponentProps<typeof Button> & { label: string }) {
  return <Button aria-label={label} title={label} className={cn("shrink-0 px-0", className ?? "size-11")} {...rest} />;
}

export function Card({ title, children, aside }: { title: string; children: ReactNode; aside?: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="rounded-xl border bg-card p-4">
      <div className="mb-3 flex items-center justify-between gap-2">
        <h3 id={id} className="text-sm font-semibold">
          {title}
        </h3>
        {aside}
      </div>
      {children}
    </section>
  );
}

const CONTROL =
  "w-full min-h-10 rounded-lg border border-input bg-card px-3 text-sm text-foreground placeholder:text-muted-foreground";

interface Labelled {
  label: string;
  hint?: string | undefined;
}

function Field({ label, hint, id, children }: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="text-xs text-muted-foreground">
          {hint}
        </p>
      )}
    </div>
  );
}

export function Input({ label, hint, className, ...rest }: Labelled & ComponentProps<"input">) {
  const id = useId();
  return (
    <Field label={label} hint={hint} id={id}>
      <input id={id} aria-describedby={hint && `${id}-hint`} className={cn(CONTROL, className)} {...rest} />
    </Field>
  );
}

export function Textarea({ label, hint, className, ...rest }: Labelled & ComponentProps<"textarea">) {
  const id = useId();
  return (
    <Field label={label} hint={hint} id={id}>
      <textarea id={id} aria-describedby={hint && `${id}-hint`} className={cn(CONTROL, "py-2", className)} {...rest} />
    </Field>
  );
}

export function Select({
  label,
  hint,
  value,
  options,
  onValue,
  ...rest
}: Labelled & {
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  onValue: (value: string) => void;
} & Omit<ComponentProps<"select">, "value" | "onChange">) {
  const id = useId();
  return (
    <Field label={label} hint={hint} id={id}>
      <select
        id={id}
        aria-describedby={hint && `${id}-hint`}
        className={CONTROL}
        value={value}
        onChange={(event) => onValue(event.target.value)}
        {...rest}
      >
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

export function Slider({
  label,
  hint,
  value,
  range,
  onValue,
  format = String,
}: Labelled & {
  value: number;
  range: readonly [least: number, most: number, step: number];
  onValue: (value: number) => void;
  format?: (value: number) => string;
}) {
  const id = useId();
  return (
    <div className="grid gap-1.5">
      <div className="flex justify-between text-sm">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        <output htmlFor={id} className="text-muted-foreground tabular-nums">
          {format(value)}
        </output>
      </div>
      <input
        id={id}
        type="range"
        aria-describedby={hint && `${id}-hint`}
        aria-valuetext={format(value)}
        className="h-6 w-full accent-primary"
        min={range[0]}
        max={range[1]}
        step={range[2]}
        value={value}
        onChange={(event) => onValue(event.target.valueAsNumber)}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className="text-xs text-muted-foreground">
          {hint}
        </p>
      )}
    </div>
  );
}

export function Switch({
  label,
  hint,
  checked,
  onValue,
}: Labelled & { checked: boolean; onValue: (checked: boolean) => void }) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div>
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint !== undefined && (
          <p id={`${id}-hint`} className="text-xs text-muted-foreground">
            {hint}
          </p>
        )}
      </div>
      <button
        id={id}
        type="button"
        role="switch"
        aria-checked={checked}
        aria-describedby={hint && `${id}-hint`}
        onClick={() => onValue(!checked)}
        className={cn(
          "relative inline-flex h-6 w-11 shrink-0 items-center rounded-full border transition-colors",
          checked ? "border-primary bg-primary" : "border-input bg-muted",
        )}
      >
        <span
          className={cn(
            "size-4 rounded-full transition-transform",
            checked ? "translate-x-6 bg-primary-foreground" : "translate-x-1 bg-muted-foreground",
          )}
        />
      </button>
    </div>
  );
}

export function Tabs<Name extends string>({
  label,
  tabs,
  chosen,
  onChoose,
}: {
  label: string;
  tabs: readonly (readonly [name: Name, text: string])[];
  chosen: Name;
  onChoose: (name: Name) => void;
}) {
  const row = useRef<HTMLDivElement>(null);
  const step = (event: React.KeyboardEvent) => {
    const at = tabs.findIndex(([name]) => name === chosen);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + tabs.length) % tabs.length;
    onChoose(tabs[index]![0]);
    (row.current?.children[index] as HTMLElement | undefined)?.focus();
  };
  return (
    <div ref={row} role="tablist" aria-label={label} onKeyDown={step} className="flex gap-1 rounded-xl bg-muted p-1">
      {tabs.map(([name, text]) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={name === chosen}
          aria-controls={name === chosen ? `panel-${name}` : undefined}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
          className={cn(
            "min-h-9 min-w-0 flex-1 rounded-lg px-1 text-sm font-medium",
            name === chosen ? "bg-card text-foreground shadow-sm dark:bg-border" : "text-muted-foreground hover:text-foreground",
          )}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

export function Notice({
  children,
  action,
  tone = "bad",
}: {
  children: ReactNode;
  action?: ReactNode;
  tone?: "bad" | "plain";
}) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={cn(
        "flex flex-wrap items-center justify-between gap-3 rounded-xl border px-4 py-3 text-sm",
        tone === "bad" ? "border-destructive bg-destructive-soft" : "bg-muted",
      )}
    >
      <p className="min-w-0 flex-1 basis-60">{children}</p>
      {action}
    </div>
  );
}
