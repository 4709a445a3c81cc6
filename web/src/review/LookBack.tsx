/** The way to the talks that are over. */

import { useState } from "react";
import { Button } from "../components/ui";
import { useMedia } from "../hooks";
import type { Session } from "../realtime/session";
import { texts } from "../texts";
import { DARK, themeOf } from "../theme";
import { Review } from "./Review";

export function LookBack({ session }: { session: Session }) {
  const [isOpen, setOpen] = useState(false);
  const theme = themeOf(session.settings, useMedia(DARK));
  const { talks } = session.shelf;
  if (talks.length === 0) return null;
  return (
    <>
      <Button className="min-h-12 flex-1 sm:flex-none" onClick={() => setOpen(true)}>
        {texts.review.open}
      </Button>
      {isOpen && <Review talks={talks} theme={theme} onClose={() => setOpen(false)} />}
    </>
  );
}
