"""The wordings by which intents are known, the most telling first.  Data for `dialogue.intents`; pure."""

from __future__ import annotations

import re

from .saying import LANGUAGES

_ASK = (
    r"^(?:(?:please|okay|hey|well|so|and|now|um|uh|can you|could you|would you|will you|i want you to|"
    r"i would like you to|just) )*"
)
"""How an order may begin."""
_POLITE = r"(?: (?:please|now|for me|then|thanks|thank you|okay|right now|just|again))*"
"""How it may end."""
_LIST = r"(?:my |the |our |that )?(?:\w+ ){0,2}list\b"
_DEVICE = (
    r"(?:lights?|lamps?|bulbs?|fan|heater|heating|television|tv|radio|music|air conditioning|oven|coffee machine|"
    r"switch|plug)\b"
)
_SWITCH = r"\b(?:turn|switch|put|dim|flip|shut)\b"
_WAY = r"\b(?:on|off|up|down|out)\b"
_HOW_WARM = r"(?:cold|hot|warm|sunny|windy|cloudy|humid|freezing)"
_NOT_A_NAME = r"(?!(?:not|back|a|an|at|later|when|if|on|in|tomorrow)\b)"
_MIND = r"(?:remember|do not forget|make a note|take a note|note down|note|write down|keep in mind|remind me)\b"


def _rule(name: str, *wordings: str) -> tuple[str, re.Pattern[str]]:
    return name, re.compile("|".join(wordings))


RULES = (
    _rule(
        "stop",
        rf"{_ASK}(?:stop|stop (?:it|that|there|\w+ing)|be quiet|quiet|hush|shut up|silence){_POLITE}$",
        rf"{_ASK}(?:never mind|nevermind|forget it|cancel|cancel (?:that|it)|that is enough|enough|hold on"
        rf"|wait){_POLITE}$",
    ),
    _rule(
        "repeat",
        r"\b(?:say|tell me|read|repeat|do) (?:that|it|this)(?: to me)?(?: \w+)? ?(?:again|once more|more slowly"
        r"|slower)\b",
        rf"{_ASK}(?:repeat|repeat (?:that|it|this|yourself)|pardon|pardon me|come again|excuse me|sorry what|again)"
        rf"(?: (?:more slowly|slowly|slower|once more|one more time|that|me))*{_POLITE}$",
        rf"{_ASK}repeat that(?: (?!(?:i|you|we|he|she|they|it|the|a|this|my)\b)\w+){{1,3}}$",
        rf"{_ASK}(?:repeat|say) what you (?:just )?said{_POLITE}$",
        rf"{_ASK}repeat (?:the|your) (?:last |previous )?(?:questions?|answer|sentence|options|choices|instructions"
        rf"|message|numbers?|part|bit){_POLITE}$",
        r"^(?:what|huh|sorry|what was that|hm|eh)$",
        r"\b(?:what did you (?:just )?say|did not (?:catch|hear|get) (?:that|you|it)|can not hear you|one more time)\b",
    ),
    _rule(
        "timer_cancel",
        r"\b(?:cancel|stop|delete|clear|remove|end|turn off|kill|reset)\b.*\b(?:timers?|alarms?|countdown)\b",
    ),
    _rule(
        "timer_left",
        r"\bhow (?:much|many|long)\b.*\b(?:left|remain\w*|to go|timers?)\b",
        r"\b(?:time|minutes|seconds) (?:is |are )?(?:left|remaining)\b",
        r"\b(?:check (?:the|my)|status of (?:the|my)|what|do i have (?:a|any)|is (?:the|my)) timers?\b",
    ),
    _rule(
        "timer_set",
        r"\b(?:set|start|make|create|need|want|put|begin|add|new)\b.*\b(?:timers?|alarm|countdown)\b",
        r"^(?:an? )?(?:\w+ ){1,3}timer(?: please)?$",
        r"^timer (?:for|of)\b",
        r"\b(?:wake me|remind me) in\b",
    ),
    _rule("timer_left", r"^how (?:long|much longer|much more time|much time)(?: now| more| to go| still| is it)?$"),
    _rule("timer_left", r"^is (?:it|(?:the|my) timer) (?:done|over|finished|up|ready)(?: yet)?$"),
    _rule(
        "quiz_score", r"\b(?:what is|tell me|how is) (?:my|the) score\b", r"^(?:my )?score$", r"\bhow many .*\bright\b$"
    ),
    _rule(
        "quiz",
        rf"{_ASK}ask me (?:\w+ ){{0,4}}(?:questions?|one)\b",
        r"\b(?:quiz me|test my knowledge|next question|another question|more questions)\b",
        r"\b(?:start|play|begin|do|have) (?:(?:a|the|with|another|our|some) )*(?:quiz|trivia)\b",
    ),
    _rule(
        "language",
        rf"\b(?:do|can|could) you (?:\w+ )?(?:speak|understand|talk|know) {LANGUAGES}\b",
        rf"^(?:please |can you |could you |how do you |how do i )*(?:speak|talk|answer|say|translate)\b.*"
        rf"\b(?:in |to |into )?{LANGUAGES}(?: please)?$",
    ),
    _rule(
        "human",
        r"\b(?:talk|speak|transfer|connect|put|get)\b.*\b(?:human|agent|operator|representative|real person|manager)\b",
        r"^(?:operator|agent|human|representative|real person)(?: please)?$",
    ),
    _rule(
        "list_has",
        rf"^(?:is|are|do i have|have i got|did i (?:add|put)) (?:there )?(?:the |any )?(?P<what>.+?) (?:already )?"
        rf"(?:on|to|in) {_LIST}",
    ),
    _rule("list_read", rf"\bhow many\b.*\b(?:on|in) {_LIST}", r"^(?:and )?what else(?: is (?:on it|there))?$"),
    _rule(
        "list_remove", rf"{_ASK}(?:remove|delete|cross off|take off) (?:the )?(?P<what>(?!timer|alarm)[a-z]+){_POLITE}$"
    ),
    _rule(
        "list_clear",
        r"\b(?:clear|empty|erase|delete|wipe|start over)\b(?: everything (?:on|from))?"
        r"(?: (?:my|the|our|whole|entire|all|of))* (?:\w+ )?list\b",
    ),
    _rule(
        "list_remove",
        rf"\b(?:remove|take|delete|cross|strike|scratch)\b (?P<what>.+?) (?:from|off|of|out of) (?:of )?{_LIST}",
    ),
    _rule("list_add", rf"\b(?:add|put|write|note|place|at) (?P<what>.+?) (?:to|on|in|onto|into|do|too) {_LIST}"),
    _rule(
        "list_add",
        rf"{_ASK}(?:add|put) (?!.* (?:to|on|in|into) (?:my|the|our) )(?P<what>(?!\d)[a-z].+?)(?: too| also| as well)?"
        rf"{_POLITE}$",
    ),
    _rule(
        "list_read",
        r"\b(?:what|read|show|tell|say|hear|give|list|anything|something)\b.*\blist\b(?! of)",
        r"^(?:my|the) (?:\w+ )?list(?: please)?$",
    ),
    _rule("list_add", rf"^(?:and|had|ad) (?P<what>.+?) (?:to|onto) {_LIST}$"),
    _rule(
        "name_get",
        r"\b(?:what (?:is|was) my name|do you (?:know|remember) my name|who am i|what am i called|say my name)\b",
    ),
    _rule(
        "name_set",
        rf"\b(?:(?:my|might) name (?:is|s)|call me|you can call me|i am called) (?P<name>{_NOT_A_NAME}[^\W\d]+)"
        r"(?: (?P<last>(?!(?:and|please|from|thank|nice|here|what|how|can|could|i)\b)[^\W\d]+)$)?",
    ),
    _rule(
        "identity",
        r"\b(?:what is your name|who are you|what are you|your name|who (?:made|built|created) you|what model)\b",
        r"\b(?:about yourself|how old are you|where are you from|where do you (?:live|come from)|what are you doing)\b",
        r"\bare you (?:a |an |the )?(?:robot|human|real|person|machine|ai|bot|computer|assistant|chat ?gpt|gpt"
        r"|open ?ai|"
        r"(?:large )?language model|alive)\b",
    ),
    _rule(
        "weather",
        r"\b(?:weather|rain(?:ing|y)?|snow(?:ing)?|sunny|umbrella|forecast|temperature outside)\b",
        r"\bhow (?:cold|hot|warm) (?:is|will) it\b",
        rf"\b{_HOW_WARM} outside\b|\bnice outside\b",
        rf"\b(?:is|will) it (?:be |going to be |really |very )*{_HOW_WARM}\b",
    ),
    _rule(
        "thermostat",
        r"\b(?:set|change|turn|raise|lower|make|put)\b.*\b(?:temperature|thermostat|heating|degrees|warmer|colder"
        r"|cooler)\b",
    ),
    _rule(
        "light",
        rf"{_SWITCH}.*{_WAY}.*\b{_DEVICE}",
        rf"{_SWITCH}.*\b{_DEVICE}",
        rf"\b{_DEVICE} (?:on|off|out)\b",
    ),
    _rule(
        "book",
        r"(?<!\bthe )(?<!\ba )(?<!this )(?<!that )(?<!\bmy )\b(?:book|reserve|schedule|reschedule|make)\b.*"
        r"\b(?:table|appointment|reservation|room|flight|hotel|ticket|taxi|meeting|seat)s?\b",
        r"\b(?:appointment|reservation|table for)\b",
        r"\b(?:change|move|cancel) my (?:booking|flight|meeting)\b",
    ),
    _rule(
        "time",
        r"\bwhat(?: is the)? time\b(?! (?:do|does|did|are|will|should) )(?! is (?:my|the|our) )",
        r"\b(?:tell|give) (?:me )?(?:the )?time\b",
        r"\bdo you (?:have|know) (?:the|what) time\b",
        r"\bhow late is it\b",
        r"\b(?:current|the) time(?: please| now| right now)?$",
        r"^time(?: please)?$",
        r"\bwhat hour\b",
    ),
    _rule(
        "date",
        r"\bwhat(?: is)?(?: the| today)? ?(?:date|day)(?: is| of| today| it|$)",
        r"\b(?:today(?: is)?|current|the) date\b",
        r"\b(?:what|which) day\b",
        r"\bwhat (?:year|month) is\b",
        r"\bwhat is the (?:day|date|year|month)\b",
        r"\b(?:day|date) is (?:it|today)\b",
        r"\bwhat is today\b",
    ),
    _rule("forget", r"\b(?:forget|delete|erase)\b (?:everything|all|what i (?:told|said)|my (?:notes?|number|name))"),
    _rule(
        "count",
        rf"{_ASK}count (?:(?:down|backwards?) )?(?:from (?P<from>.+?) )?(?:up |down )?(?:to|too|two) (?P<to>.+)$",
        rf"{_ASK}count (?:down |backwards? )?from (?P<down>.+)$",
    ),
    _rule(
        "spell",
        rf"{_ASK}(?:spell|how (?:do you|do i|to|is) spell(?:ed)?)(?: the word"
        rf"| the name)? (?P<what>.+?)(?: for me)?(?: please)?$",
        r"^how is (?P<that>\w+) spelled$",
    ),
    _rule("coin", r"\b(?:flip|toss|throw) (?:a |the |me a )?coin\b", r"\bheads or tails\b"),
    _rule("dice", r"\b(?:roll|throw|toss)\b.*\b(?:dice|die|d\d+)\b"),
    _rule("random", r"\b(?:random number|pick a number|think of a number)\b"),
    _rule(
        "recall",
        r"\b(?:what|which|where|when|who|how (?:many|much|old|far|long|big))\b"
        r"(?! (?:do|can|should) i (?:do|say|need|get|have to|go))(?! (?:is|are|was) (?:on|in|at) my (?:calendar"
        r"|account))"
        r"(?! do i have on).*\b(?:did|do|have|had|was|is|are|were)\b.*\b(?:i|my|mine|our)\b(?! can| could| do for)",
        r"\bdo you remember\b",
        r"\bremind me (?:what|where|when|who)\b",
        r"\bread (?:me )?my notes\b",
        r"\bwhat did i\b",
        r"\b(?:what|where) is (?:my|the|our|that|this|a) (?:\w+ )?(?:number|code|note|car|order)\b",
    ),
    _rule("recall", rf"{_ASK}(?:repeat|tell me|say) what i (?:just )?(?:said|say|told you)\b"),
    _rule(
        "feeling",
        r"^(?:(?:and|well|so|today|oh) )*i (?:am|feel|am feeling) (?:(?:not|so|very|really|a|bit|a little|too|quite) )*"
        r"(?:(?P<bad>sad|tired|angry|sick|ill|bored|lonely|upset|unhappy|stressed|scared|frustrated|hungry)"
        r"|(?P<good>happy|fine|good|great|well|excited|glad|okay))\b",
        r"\b(?P<worse>(?:this|that|you|it) (?:is|are) (?:\w+ )?(?:terrible|stupid|useless|awful|annoying|horrible|bad"
        r"|dumb))\b",
        r"\b(?P<praise>(?:you are|this is|that is|that was) (?:\w+ )?(?:funny|nice|smart|awesome|amazing|clever"
        r"|the best|wonderful|cool|cute)|i (?:love|like) you)\b",
    ),
    _rule("remember", rf"\b{_MIND}(?: (?:that|of|to|down|about|this))*(?P<note> .+)$"),
    _rule(
        "number_note",
        r"\b(?:number|code|pin|zip|extension|id|account|phone|order|room|gate|flight)\b.*\b(?:is|was|are)\b",
    ),
    _rule("remember", r"\b(?P<whole>i (?:parked|left|put|keep|hid|stored) .+)$"),
    _rule(
        "remember",
        r"^(?:(?:and|well|so|also|by the way) )*(?P<whole>(?:my|our) (?!name\b)[a-z' ]+? (?:is|are|was"
        r"|were) (?!not\b).+)$",
    ),
    _rule(
        "remember",
        r"^(?P<whole>i (?:like|love|hate|prefer|live in|work (?:at|in|as|for)|own|am from|am allergic to"
        r"|was born) .+)$",
        r"^(?P<owned>i have (?:a|an|one|two|three|four|five) (?!question|problem|issue|bill|request|complaint|few"
        r"|lot).+)$",
    ),
    _rule("story", r"\b(?:story|tale)\b"),
    _rule("joke", r"\b(?:joke|riddle|something funny|make me laugh)\b"),
    _rule("sing", r"\b(?:sing|song|poem)\b"),
    _rule(
        "help",
        r"\bwhat (?:can|could|do) you (?:do|help|offer|know)\b",
        r"\bhow (?:can|could|do) you help\b",
        r"\bwhat are you able\b",
        r"\bhelp me$",
        r"\bi need help$",
        r"\bwhat can i (?:say|ask|do)\b",
        r"\byour (?:abilities|capabilities|skills)\b",
        r"^help\b",
    ),
    _rule(
        "bye",
        r"\b(?:bye|goodbye|good bye|good ?night|see you|see ya|farewell|hang up|talk to you later|so long)\b",
        r"\bhave a (?:nice|good|great) (?:day|evening|one|night)\b",
    ),
    _rule(
        "thanks",
        r"\b(?:thanks|thank you|thank|thank's|cheers|much appreciated|appreciate it|great job|good job|well done)\b",
        r"\b(?:(?:very|really|so) helpful|that was helpful|that helps?)\b",
    ),
    _rule(
        "greet",
        r"^(?:(?:well|oh|um|uh|and) )*(?:hello|hi|hey|howdy|greetings|hiya|good (?:morning|afternoon|evening|day)"
        r"|yo|welcome)\b",
        r"\b(?P<well>how are you|how do you do|how is it going|how are things|what is up)\b",
        r"\b(?:nice to meet you|are you there)\b",
        r"\b(?:can you hear me|hello)\b",
    ),
    _rule("light", rf"{_ASK}(?:turn|switch) (?:on|off) (?:the|my|our|all|every)\b"),
)
"""(intent, pattern over plain words); patterns of the same intent stand where their certainty puts them."""

_FILLERS = (
    r"(?:please|now|for me|then|thanks|thank you|okay|right now|just|again|sorry|well|oh|um|uh|i|am|do|is|it|that|not)"
)
_YES = (
    r"(?:that is (?:right|correct|fine|true)|yes|yeah|yep|yup|yea|sure|okay|correct|right|absolutely|certainly"
    r"|of course|fine|go ahead|sounds good|alright|"
    r"all right|exactly|indeed|definitely|perfect|great|please do|i do|it is|please)"
)
_NO = (
    r"(?:no|nope|nah|not really|no way|do not|not now|negative|wrong|incorrect|nothing else|nothing|that is all|all"
    r"|way|"
    r"not yet|yet|else|really)"
)
YES = re.compile(rf"^{_YES}\b")
NO = re.compile(rf"^{_NO}\b")
YES_WORDS = re.compile(rf"\b(?:{_YES}|{_FILLERS})\b")
NO_WORDS = re.compile(rf"\b(?:{_NO}|{_FILLERS})\b")
"""A short answer begins with a word of the one pattern and has none but those of the other."""

SUM_CUE = re.compile(
    r"^(?:(?:so|and|okay|well|please|now|hey|then|hello|hi|um|uh|tell me|can you|could you|do you know|i need"
    r"|give me) )*"
    r"(?:what|how much|how many|how far|how long|how heavy|convert|calculate|compute|solve|work out|add|multiply"
    r"|divide|"
    r"subtract|sum|the sum|square|the square|cube|half|twice|double|a quarter|a third|product|the product|difference|"
    r"the difference|[-(\d.]|negative|minus)"
)
"""How a question that is worked out begins."""
COMPETING = re.compile(
    r"\b(?:list|timers?|temperature|degrees|book|table|remind|remember|call|alarm|email|message"
    r"|at \d)\b(?! fahrenheit| celsius)"
)
"""Words that show numbers to be about something else."""
