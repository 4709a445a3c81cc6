"""Whether words sound like a finished turn, judged by how they end.

Nobody stops for good after "for a" or in the middle of a telephone number.  The rules look at the last words of what
was recognised so far; they cost microseconds and always answer alike.  Pure; the ears ask at each new partial text.
"""

from __future__ import annotations

FINISHED = 0.9
"""Nothing in the words asks for more."""
UNSURE = 0.5
"""The last word may end a turn or not."""
OPEN = 0.15
"""The words ask for more."""
NOTHING = 0.0
"""No word was said, or none but fillers."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FILLERS = _set("um uh er erm ah hmm mm eh")
_STARTERS = _set("well so okay ok and but hey please now then like actually")
"""Words that open a turn; alone they are answers or hesitation."""
_LINKS = _set(
    "a an the and or but nor if because since unless until while whether although though than as of to from into "
    "onto with without by at for about between among during against towards via per my your his her its our their "
    "every each which whose very really quite rather too is are was were am be been being will would shall should "
    "could can might may must does did has have had i'm you're we're they're i'll you'll we'll they'll i'd you'd "
    "we'd they'd i've you've we've they've he's she's it's that's there's what's who's where's let's gonna wanna "
    "who whom what when where why how i we they he she"
)
"""Words that join what comes before to what must come after."""
_HALF_LINKS = _set("in on up off out over down through that this these those it you me some any no do")
"""Words that join as often as they end; alone they are answers."""
_ENDINGS = (
    "thank you|how are you|who are you|where are you|who is it|what is it|what is that|who is that|what was that|"
    "where was i|there you are|here you are|here i am|so i am|yes i am|no i am|so do i|yes i do|no i do not|i do|"
    "yes it is|no it is not|i can|yes i can|i will|yes i will|i would|yes we are|yes they are|do that|say that|"
    "repeat that|stop that|cancel that|forget that|like that|after that|about that|all that|is that|was that|"
    "of course|go on|come on|hold on|carry on|turn it on|turn it off|turn it up|turn it down|is on|are on|is off|"
    "are off|what is on|find out|log in|check in|what can you do|what do you do|how do you do|help you|help me|"
    "tell me|call me|with me|for me|to me|about it|stop it|do it|cancel it|repeat it|forget it|is it|was it|of it|"
    "who am i|where am i|what for|who with|where to|where from|tell me why|tell me how|tell me when|i know why|"
    "i see|i know how|i don't know why|me too|you too|it too|that one|this one|which one|another one|the other one|"
    "and you|what about you|how about you|what about me|to you|i have|so it is|as well as you can|the what|say what|"
    "so what|guess what|and then|what else|what then|what now|what|why|how|when|where|who|which|nothing to do"
)
"""Ends of turns whose last word would otherwise ask for more."""
_DIGITS = _set("zero oh one two three four five six seven eight nine double triple")
_NUMBER_CUES = _set("phone telephone mobile cell fax account card")
"""What is usually seven digits or more."""
_SHORT_NUMBER = 4
"""Codes and extensions: a run of so many digits may be whole, even of an account."""
_LONG_NUMBER = 7
"""The digits of a telephone number without its area."""


class TurnRules:
    """The rules as a `TurnModel`."""

    def turn_over(self, text: str) -> float:
        """Return how likely the turn is over, 0 to 1; `text` is lower case, without marks, as recognised."""
        words = text.lower().split()
        if not words or all(word in _FILLERS for word in words):
            return NOTHING
        if words[-1] in _FILLERS:
            return OPEN
        if _ends_finished(words):
            return FINISHED
        if len(words) == 1 and words[0] in _STARTERS:
            return UNSURE
        if words[-1] in _LINKS or words[-1] in ("double", "triple", "point"):
            return OPEN
        if _awaits_digits(words):
            return OPEN
        if len(words) == 1:
            return FINISHED
        if words[-1] in _HALF_LINKS or words[-1] in _STARTERS - {"please", "now", "then", "okay", "ok"}:
            return UNSURE
        return FINISHED


def _ends_finished(words: list[str]) -> bool:
    """Return whether the words end in one of the known endings; those of one word must stand alone."""
    for length in (2, 3, 4, 5, 6):
        if len(words) >= length and " ".join(words[-length:]) in _KNOWN_ENDINGS:
            return True
    return len(words) == 1 and words[0] in _KNOWN_ENDINGS


def _awaits_digits(words: list[str]) -> bool:
    """Return whether the words end within the digits of a number that is longer."""
    run = 0
    while run < len(words) and words[-1 - run] in _DIGITS:
        run += 1
    if run < 2 or run >= _LONG_NUMBER or run == len(words):
        return False
    return run != _SHORT_NUMBER and not _NUMBER_CUES.isdisjoint(words[:-run])


_KNOWN_ENDINGS = frozenset(_ENDINGS.split("|"))
