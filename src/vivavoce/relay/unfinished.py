"""Responses under way, as the client has seen them, so that one whose server is gone can be ended by the protocol.

All in GA spelling.  Called by `relay.session`.
"""

from __future__ import annotations

from collections.abc import Callable

from .terms import Object

NewId = Callable[[str], str]


class _Part:
    __slots__ = ("has_audio", "has_text", "is_audio", "text")

    def __init__(self, is_audio: bool) -> None:
        self.is_audio = is_audio
        self.has_audio = is_audio
        """Whether the end of its audio is yet to be told."""
        self.has_text = True
        """Whether the end of its text is yet to be told."""
        self.text = ""


class _Item:
    __slots__ = ("arguments", "index", "is_in_conversation", "item", "parts", "previous_item_id")

    def __init__(self, item: Object, index: int) -> None:
        self.item = item
        self.index = index
        self.parts: dict[int, _Part] = {}
        self.arguments = ""
        self.is_in_conversation = False
        self.previous_item_id: str | None = None


class Unfinished:
    """One response that was created and is not done."""

    def __init__(self, response: Object) -> None:
        """Begin with the response of `response.created`."""
        self.id: str = response.get("id", "")
        self._response = response
        self.is_apart = is_apart(response)
        """Whether what it says stays out of the conversation."""
        self._open: dict[str, _Item] = {}
        self._done: list[Object] = []
        self.has_begun = False
        """Whether the client was sent anything of what it says."""

    def see(self, kind: str, event: Object) -> None:
        """Take one of its events."""
        self.has_begun = True
        match kind:
            case "response.output_item.added":
                item = event["item"]
                self._open[item["id"]] = _Item(item, event["output_index"])
            case "response.output_item.done":
                self._open.pop(event["item"].get("id", ""), None)
                self._done.append(event["item"])
            case _:
                item_ = self._open.get(event.get("item_id", ""))
                if item_ is not None:
                    _see_content(item_, kind, event)

    def enter(self, item_id: str, previous_item_id: str | None) -> None:
        """Learn that one of its items entered the conversation."""
        if (item := self._open.get(item_id)) is not None:
            item.is_in_conversation, item.previous_item_id = True, previous_item_id

    def has_item(self, item_id: str) -> bool:
        """Return whether an item is being made by it just now."""
        return item_id in self._open

    def broken(self, new_id: NewId, code: str, message: str) -> list[Object]:
        """Return the events that end it as failed; everything that was begun is ended first."""
        out: list[Object] = []
        for open_item in self._open.values():
            final = self._closed(open_item, out)
            self._done.append(final)
            out.append({"type": "response.output_item.done", "output_index": open_item.index, "item": final})
            if open_item.is_in_conversation:
                out.append(
                    {
                        "type": "conversation.item.done",
                        "previous_item_id": open_item.previous_item_id,
                        "item": final,
                    }
                )
        self._open = {}
        error = {"type": "server_error", "code": code, "message": message}
        response = self._response | {
            "status": "failed",
            "status_details": {"type": "failed", "error": error},
            "output": self._done,
            "usage": None,
        }
        out.append({"type": "response.done", "response": response})
        for event in out:
            event["event_id"] = new_id("event")
            if event["type"].startswith("response.") and event["type"] != "response.done":
                event["response_id"] = self.id
        return out

    def _closed(self, open_item: _Item, out: list[Object]) -> Object:
        """Return the final form of an item; add what ends its parts."""
        content: list[Object] = []
        for content_index, part in sorted(open_item.parts.items()):
            where = {
                "item_id": open_item.item["id"],
                "output_index": open_item.index,
                "content_index": content_index,
            }
            if part.is_audio:
                if part.has_audio:
                    out.append({"type": "response.output_audio.done"} | where)
                if part.has_text:
                    out.append({"type": "response.output_audio_transcript.done"} | where | {"transcript": part.text})
                shown = {"type": "audio", "transcript": part.text}
                content.append({"type": "output_audio", "transcript": part.text})
            else:
                if part.has_text:
                    out.append({"type": "response.output_text.done"} | where | {"text": part.text})
                shown = {"type": "text", "text": part.text}
                content.append({"type": "output_text", "text": part.text})
            out.append({"type": "response.content_part.done"} | where | {"part": shown})
        final = open_item.item | {"status": "incomplete"}
        if final.get("type") == "message":
            final["content"] = [*open_item.item.get("content", ()), *content]
        elif "arguments" in final:
            # Without `arguments.done`: clients run the function as soon as they see one.
            final["arguments"] = open_item.arguments
        return final


def is_apart(response: Object) -> bool:
    """Return whether what a response says stays out of the conversation."""
    return "conversation_id" in response and response["conversation_id"] is None


def _see_content(item: _Item, kind: str, event: Object) -> None:
    index = event.get("content_index", 0)
    match kind:
        case "response.content_part.added":
            item.parts[index] = _Part(event["part"].get("type") in ("audio", "output_audio"))
        case "response.content_part.done":
            part = item.parts.pop(index, None)
            if part is not None:
                name, words = ("output_audio", "transcript") if part.is_audio else ("output_text", "text")
                shown = {"type": name, words: event["part"].get(words, part.text)}
                item.item = item.item | {"content": [*item.item.get("content", ()), shown]}
        case "response.output_audio_transcript.delta" | "response.output_text.delta":
            if (part := item.parts.get(index)) is not None:
                part.text += event.get("delta") or ""
        case "response.output_audio.done":
            if (part := item.parts.get(index)) is not None:
                part.has_audio = False
        case "response.output_audio_transcript.done" | "response.output_text.done":
            if (part := item.parts.get(index)) is not None:
                part.has_text = False
        case "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta":
            item.arguments += event.get("delta") or ""
        case _:
            pass
