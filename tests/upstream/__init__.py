"""A stand-in for OpenAI's Realtime server: strict, scripted, and able to misbehave when it is told to.

Written from the protocol alone and sharing no code with the server it judges.  Needs nothing but `websockets`, so that
it also runs in the environment of a client, where the types of the `openai` package then judge every event as well.

- *Terms*: what a stand-in serves: its shape, keys, models, how long a session lives, what it answers.
- *Faults*: how it misbehaves, until told otherwise or for one response.
- *Session*: one conversation, with its *Buffer* of audio heard, its *Conversation* of items and its *Responses*.
- *Script*: what is answered to what, told by rules and by a few phrases that it understands.
- *Tally*: what was counted, and every *Violation* of the protocol that a client has committed.

    async with StandIn(Terms(keys=("sk-upstream",))) as upstream:
        ...  # upstream.url, upstream.tally, upstream.faults

`python -m upstream --help`, in the folder of the tests, runs it as a program, which is steered by `control.Remote`.
"""

from .faults import Faults, Trouble
from .server import StandIn
from .tally import Tally, Violation
from .terms import Rule, Terms

__all__ = ["Faults", "Rule", "StandIn", "Tally", "Terms", "Trouble", "Violation"]
