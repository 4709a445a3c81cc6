"""Which types of events are alike, renamed or missing, beside lists written down by hand."""

from __future__ import annotations

from vivavoce.relay import names
from vivavoce.relay.bridges import BetaClient, BetaUpstream, Bridge

CLIENT = {
    "conversation.item.create", "conversation.item.delete", "conversation.item.retrieve", "conversation.item.truncate",
    "input_audio_buffer.append", "input_audio_buffer.clear", "input_audio_buffer.commit", "output_audio_buffer.clear",
    "response.cancel", "response.create", "session.update",
}  # fmt: skip
"""Client events that both shapes have."""
BOTH = {
    "conversation.created", "conversation.item.created", "conversation.item.deleted",
    "conversation.item.input_audio_transcription.completed", "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.failed", "conversation.item.retrieved", "conversation.item.truncated",
    "error", "input_audio_buffer.cleared", "input_audio_buffer.committed", "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped", "input_audio_buffer.voice_probability", "output_audio_buffer.cleared",
    "output_audio_buffer.started", "output_audio_buffer.stopped", "rate_limits.updated", "response.content_part.added",
    "response.content_part.done", "response.created", "response.done", "response.function_call_arguments.delta",
    "response.function_call_arguments.done", "response.output_item.added", "response.output_item.done",
    "session.created", "session.updated",
}  # fmt: skip
"""Server events that both shapes have."""
RENAMED = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
GA_ALONE = {
    "conversation.item.added", "conversation.item.done", "conversation.item.input_audio_transcription.segment",
    "input_audio_buffer.dtmf_event_received", "input_audio_buffer.timeout_triggered", "mcp_list_tools.completed",
    "mcp_list_tools.failed", "mcp_list_tools.in_progress", "response.mcp_call.completed", "response.mcp_call.failed",
    "response.mcp_call.in_progress", "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done",
}  # fmt: skip
BRIDGES: list[Bridge] = [BetaClient("realtime", str), BetaUpstream("realtime", str)]


def test_what_changes_by_name_alone_is_known_both_ways() -> None:
    for bridge in BRIDGES:
        found = {name.decode(): theirs.decode() for name, theirs in bridge.renamed_from_ga.items()}
        assert found == RENAMED
        assert {theirs: name for name, theirs in bridge.renamed_to_ga.items()} == dict(bridge.renamed_from_ga)


def test_what_the_beta_has_no_word_for_is_known() -> None:
    assert names.UNKNOWN_TO_BETA | {"conversation.item.added"} == GA_ALONE


def test_what_is_alike_is_in_both_shapes() -> None:
    for bridge in BRIDGES:
        assert {name.decode() for name in bridge.same} <= CLIENT | BOTH


def test_a_bridge_leaves_alone_what_it_need_not_see() -> None:
    for bridge in BRIDGES:
        for name in sorted(bridge.same):
            event = {"type": name.decode(), "event_id": "e", "item_id": "i", "x": {"y": [1]}}
            assert bridge.from_ga(event) == [event]
            assert bridge.to_ga(event) == [event]
