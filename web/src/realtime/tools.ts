/** Functions that run in the visitor's browser. */

export const COLOURS = ["indigo", "teal", "rose", "amber", "green"] as const;
export type Colour = (typeof COLOURS)[number];

export const TOOLS = [
  {
    type: "function",
    name: "get_current_time",
    description: "Tell the present date and time where the user is",
    parameters: { type: "object", properties: {}, required: [] },
  },
  {
    type: "function",
    name: "set_page_colour",
    description: "Change the colour of the page that the user looks at",
    parameters: {
      type: "object",
      properties: { colour: { type: "string", enum: [...COLOURS] } },
      required: ["colour"],
    },
  },
] as const;

/** Call a function, and return its output as JSON; what goes wrong is an output too. */
export function call(name: string, json: string, setColour: (colour: Colour) => void, now: Date): string {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(json === "" ? "{}" : json) as Record<string, unknown>;
  } catch {
    return JSON.stringify({ error: "the arguments are no JSON" });
  }
  if (name === "get_current_time") {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const local = now.toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short" });
    return JSON.stringify({ local_time: local, time_zone: timeZone });
  }
  if (name === "set_page_colour") {
    const colour = COLOURS.find((one) => one === given.colour);
    if (colour === undefined) return JSON.stringify({ error: `colour has to be one of ${COLOURS.join(", ")}` });
    setColour(colour);
    return JSON.stringify({ colour });
  }
  return JSON.stringify({ error: `there is no function named ${name}` });
}
