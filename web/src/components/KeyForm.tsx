/** Asks for the key of a server that has keys. */

import { type FormEvent, useState } from "react";
import { storeKey } from "../realtime/access";
import { texts } from "../texts";
import { Button, Input, Notice } from "./ui";

/** `message` is the server's word on a key that was wrong, or empty; a key is stored before `onKey` is called. */
export function KeyForm({ message, onKey, onCancel }: { message: string; onKey: () => void; onCancel: () => void }) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() === "") return;
    storeKey(key.trim());
    onKey();
  };
  const cancel = () => {
    storeKey("");
    onCancel();
  };
  return (
    <form onSubmit={submit} className="grid gap-3 rounded-xl border p-4">
      <h2 className="font-semibold">{texts.key.title}</h2>
      {message !== "" && <Notice>{`${texts.troubles.access.key} ${message}`}</Notice>}
      <Input
        label={texts.key.label}
        hint={texts.key.body}
        type="password"
        autoComplete="off"
        autoFocus
        value={key}
        onChange={(event) => setKey(event.target.value)}
      />
      <div className="flex gap-2">
        <Button type="submit" variant="primary">
          {texts.key.submit}
        </Button>
        <Button variant="ghost" onClick={cancel}>
          {texts.key.cancel}
        </Button>
      </div>
    </form>
  );
}
