"""Calls of remote tools that the application has to approve before they run.

The requests of one response belong together: when all of them are decided, the approved ones run in a response of
their own.  Called by `core.answering`.
"""

from __future__ import annotations

import msgspec

from .conversation import Conversation, Entry
from .errors import ProtocolError
from .items import FunctionCall, FunctionCallOutput, Item, McpApprovalRequest, McpApprovalResponse
from .remote import RemoteCall
from .response import NewId
from .settings import ResponseSettings
from .tooling import Target

KEPT_PETITIONS = 64
"""Responses whose requests may be undecided; of those out of band nothing else bounds the number."""


class Petition(msgspec.Struct):
    """The requests of one response, and what it takes to go on where it ended."""

    chosen: ResponseSettings
    context: tuple[Entry | str, ...] | None
    """What the response knew and made, where it was out of band; None where the conversation has it."""
    metadata: dict[str, str] | None
    functions: tuple[str, ...]
    """Ids of calls whose results the application brings, which have to be there as well."""
    requests: dict[str, tuple[McpApprovalRequest, Target]]
    """By the id of their item."""
    decisions: dict[str, bool] = {}

    @property
    def is_decided(self) -> bool:
        """Whether no request is open."""
        return self.requests.keys() <= self.decisions.keys()

    @property
    def approved(self) -> list[tuple[McpApprovalRequest, Target]]:
        """What may run."""
        return [asked for id_, asked in self.requests.items() if self.decisions.get(id_)]


class Approvals:
    """The undecided requests of a session, and what was approved and has not run."""

    def __init__(self, conversation: Conversation, new_id: NewId) -> None:
        self._conversation = conversation
        self._new_id = new_id
        self._petitions: list[Petition] = []

    def file(
        self,
        chosen: ResponseSettings,
        context: tuple[Entry | str, ...] | None,
        metadata: dict[str, str] | None,
        output: tuple[Item, ...],
        wishes: list[tuple[McpApprovalRequest, Target]],
    ) -> None:
        """Keep what a response asked to have approved."""
        functions = tuple(item.call_id for item in output if isinstance(item, FunctionCall))
        asked = {request.id: (request, target) for request, target in wishes}
        self._petitions = [*self._petitions, Petition(chosen, context, metadata, functions, asked)][-KEPT_PETITIONS:]

    def check(self, item: McpApprovalResponse) -> None:
        """Raise `ProtocolError` when a decision is about nothing, or about what was decided before."""
        wanted = item.approval_request_id
        petition = self._of(wanted)
        if petition is None and not isinstance(self._conversation.find(wanted), McpApprovalRequest):
            raise ProtocolError(
                "invalid_value",
                f"Approval request with id '{wanted}' not found in conversation.",
                "item.approval_request_id",
            )
        made = (entry.item for entry in self._conversation.entries)
        decided = any(isinstance(one, McpApprovalResponse) and one.approval_request_id == wanted for one in made)
        if decided or (petition is not None and wanted in petition.decisions):
            raise ProtocolError(
                "invalid_value",
                f"Approval request with id '{wanted}' has been decided before.",
                "item.approval_request_id",
            )

    def decide(self, item: McpApprovalResponse) -> Petition | None:
        """Take in a checked decision; return a petition that can be followed up now."""
        petition = self._of(item.approval_request_id)
        if petition is None:
            return None
        petition.decisions[item.approval_request_id] = item.approve
        entry = self._conversation.entry(item.id)
        if petition.context is not None and entry is not None:
            petition.context += (entry,)
        if not petition.is_decided:
            return None
        if not petition.approved:
            self._petitions.remove(petition)
            return None
        return petition if self._has_results(petition) else None

    def collect(self, only: Petition | None = None) -> list[RemoteCall]:
        """Return the calls that may run now, of one petition or of all of the conversation's; each once."""
        calls = []
        for petition in [only] if only else [p for p in self._petitions if p.context is None]:
            for request, target in petition.approved:
                calls.append(RemoteCall(self._new_id("item"), target, request.arguments, request.id))
                del petition.requests[request.id]
        self._petitions = [one for one in self._petitions if one.approved or not one.is_decided]
        return calls

    def forget(self, item_id: str) -> None:
        """Learn that a request was deleted: it cannot be approved any more."""
        petition = self._of(item_id)
        if petition is not None:
            del petition.requests[item_id]
            self._petitions = [petition for petition in self._petitions if petition.requests]

    def _of(self, item_id: str) -> Petition | None:
        return next((petition for petition in self._petitions if item_id in petition.requests), None)

    def _has_results(self, petition: Petition) -> bool:
        made = (entry.item for entry in self._conversation.entries)
        brought = {item.call_id for item in made if isinstance(item, FunctionCallOutput)}
        return petition.context is not None or brought.issuperset(petition.functions)
