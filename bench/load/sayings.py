"""What is said under an answer, and by whom: what the judgement of such sounds learns from, and what it is tried on.

Called by `_claims.py`, which learns from `LEARNT` alone, and by `interruptions.py`.  Thresholds were chosen by
`TUNING`, and what is held out served for nothing but figures.  No voice is in two parts and no sentence either; the
commonest assents and commands are, for everybody says the same few, so that what is held out also has some that were
not learnt.
"""

from __future__ import annotations

from typing import NamedTuple

from vivavoce.engines.espeak import EspeakVoice

from .sounds import Voice


class Sayings(NamedTuple):
    """The texts of one part."""

    assents: tuple[str, ...]
    commands: tuple[str, ...]
    sentences: tuple[str, ...]
    late: tuple[str, ...]
    """Assents that turn into sentences."""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMMON_ASSENTS = ("mm-hmm", "uh-huh", "yeah", "right", "okay", "yes", "yeah yeah", "I see", "sure")
COMMON_COMMANDS = ("stop", "wait", "no no", "hold on", "stop please", "wait a minute", "no", "excuse me")

LEARNT = Sayings(
    assents=(
        *COMMON_ASSENTS, "mhm", "yep", "hmm", "oh", "aha", "mm", "alright", "yup", "okay okay", "right right",
        "oh yeah", "oh okay", "ah", "ah okay", "got it", "of course", "exactly", "good", "cool", "fine", "true",
        "really", "yes yes", "oh I see", "wow", "uh huh yeah", "mm-hmm mm-hmm", "oh right", "yeah okay", "absolutely",
        "of course yes", "great", "nice", "perfect", "understood", "okay good",
    ),
    commands=(
        *COMMON_COMMANDS, "stop it", "wait wait", "hang on", "stop stop", "no wait", "shut up", "pause", "quiet please",
        "cancel", "listen", "one moment", "stop talking", "that's wrong", "hello", "sorry", "hey", "wait wait wait",
        "but", "stop that now", "enough", "not that", "what", "no no no", "hold it", "just a second", "be quiet",
        "no stop",
    ),
    sentences=_lines("""
        what do you mean
        can we go back
        I need something different
        this is wrong
        who told you that
        do you have another one
        let us start again
        change it to monday
        give me the other one
        where did you get that
        why is that
        how long will it take
        the first one please
        my number is different
        we wanted two tickets
        is there a cheaper one
        sorry one question
        but I already did that
        and what about my sister
        one moment please
        I would rather not
        that's not right
        you are wrong
        forget it
        cancel that
        go back
        next one
        louder please
        speak up
        skip this
        when does it open
        please tell me the price
        because I am late
        they said it was free
        she called me yesterday
        he is not here
        it does not work
        thank you that's enough
        are you sure about that
        does the train leave earlier
        could I pay by card
        would that be possible today
        have you got a table outside
        put milk on the list
        remind me at seven
        play some music
        open the window in the kitchen
        close the garage
        start the washing machine
        switch on the heating
        make it louder
        call my mother
        send her a message
        read me the news
        find a restaurant
        book a room for friday
        delete the last one
        add two more
        I want to talk to a person
        I think you got it wrong
        I'm looking for a doctor
        I mean the blue one
        I already have one
        I said tuesday
        I can't hear you
        it's too expensive
        there must be a mistake
        then what happens
        so how do I get there
        so you are closed on sunday
        well that depends
        well I don't agree
        all of them
        none of these
        both please
        more slowly please
        less detail please
        in english please
        on the second floor
        at half past eight
        for three people
        from london to paris
        to the airport
        with my brother
        without sugar please
        under my name
        maybe tomorrow
        actually no
        which one is better
        whose is it
        whatever you think
        if it rains what then
        although I like it
        anything else
        everything is wrong
        nobody told me
        somebody is at the door
        today is better for me
        yesterday you said ten
        tonight at nine
        monday would be good
        march the fifth
        seven not eleven
        twenty past four
        five of them please
        zero four one
        red not green
        big or small
        take the cheaper one
        tell her I am busy
        try again
        turn it down
        use my other account
        leave it as it is
        look it up again
        keep it short
        bring me the bill
        buy two of them
        check my email
        ask him about it
        explain that again
        help me with this
        show me the list
        spell it please
        the answer is wrong
        these are not mine
        those were better
        here is my address
        hi there I have a problem
        good morning I need help
        great but what about the dog
        fine then cancel it
        really how much is that
        sure but not today
        we don't have time
        you said something else
        your name please
        our flight was late
        their office is closed
        as soon as possible
        just the summary
        only the first part
        even cheaper
        between two and three
        before noon
        after lunch
        until when
        during the week
        a bit faster
        an aisle seat
        any other options
        some water please
        no not that
        no I meant the other one
        not now
        never heard of it
        nothing special
        over there
        under the table
        up to fifty
        down a bit
        question
        doctor
        emergency
        faster
        repeat
        volume up
        goodbye
        later
    """),
    late=(
        "yeah but how much", "okay and where is it", "right so can we stop", "yes but not today", "sure but when",
        "okay then cancel it", "yeah I want the other", "uh-huh but why", "oh wait that is wrong", "I see but what now",
    ),
)  # fmt: skip

HELD_OUT = Sayings(
    assents=(*COMMON_ASSENTS, "interesting", "wonderful", "amazing", "very good"),
    commands=(*COMMON_COMMANDS, "hold on a second", "stop right there", "quiet", "that's enough"),
    sentences=_lines("""
        what is the weather tomorrow
        can you repeat that
        I have a question
        that is not what I meant
        set a timer for ten minutes
        actually make it two
        how much does it cost
        who said that
        turn off the lights
        tell me something else
        please be quiet
        let me think
        my name is peter
        not that one
        I don't understand
        could you speak slower
        where is the nearest station
        never mind
    """),
    late=("yeah but I wanted something else", "okay so what about friday", "right but what does it cost"),
)

TUNING = Sayings(
    assents=(*COMMON_ASSENTS, "marvellous", "terrific", "fair enough", "makes sense", "delightful", "certainly"),
    commands=(*COMMON_COMMANDS, "stop right now", "hang on a moment", "silence", "skip it"),
    sentences=_lines("""
        what about the second one
        can you say that once more
        I want to change my order
        this isn't what I asked for
        wake me up at six
        is it going to rain
        thanks but I know that
        where do I have to change
        how far is it from here
        you forgot the milk
        my wife is ill
        could we do this later
        don't send it yet
        let's talk about something else
        go on to the next point
        why should I
    """),
    late=("yeah but not on sunday", "okay but who pays for it", "right then do it", "sure and what next"),
)

HUMMED = {"mm-hmm": "/pau m hh m pau/", "mhm": "/pau m hh m pau/", "hmm": "/pau hh m pau/", "mm": "/pau m pau/"}
"""What flite reads these as, for it would spell them; its diphone voices have no such sounds."""

OPENINGS = _words("""
    i want need have can could would will what when where which who why how do does did is are am was were the a an my
    your his her our their this that these those there here it he she they we you not never please and so because if
    then now today tomorrow give take make put set get go come tell show find play open close turn switch call send
    book add remove change let look try think know like one two three four five six seven eight nine ten for from with
    without in on at to up down over under about after before again all any some every each both more most less much
    many no new old last next first let's i'm i'll i've it's that's what's where's who's how's don't can't won't didn't
    isn't there's we're they're you're should shall may might must only just even maybe perhaps well actually people
    man woman child time day year week morning evening night money house car train bus plane table door window light
    music message number name address email phone doctor dentist appointment meeting monday tuesday wednesday thursday
    friday saturday sunday
""")
"""Words that sentences begin with, for sentences without sense: how they begin is all that is learnt of them."""
ASSENTING = _words("""
    yes yeah yep yup ya right okay ok sure oh ah aha mm hmm mhm good cool fine true really exactly wow absolutely great
    nice alright of got uh um er huh understood
""")
"""Words that no sentence without sense may begin with."""

LEARNT_TIMBRES = (
    "m1",
    "m2",
    "m5",
    "m6",
    "m7",
    "m8",
    "f1",
    "f3",
    "f5",
    "klatt",
    "klatt3",
    "klatt4",
    "klatt6",
    "Annie",
    "Mike",
    "Gene",
    "max",
    "steph",
    "belinda",
    "Alex",
    "john",
    "edward",
    "Diogo",
    "Mario",
    "Michael",
    "aunty",
    "robert",
    "rob",
    "quincy",
    "sandro",
    "shelby",
    "victor",
    "ed",
    "benjamin",
    "Alicia",
    "Andrea",
    "Denis",
    "Henrique",
    "Hugo",
    "Marco",
    "Storm",
    "adam",
    "announcer",
    "antonio",
    "boris",
    "caleb",
    "david",
    "gustave",
    "ian",
    "marcelo",
    "michel",
    "miguel",
    "norbert",
    "pablo",
    "paul",
    "pedro",
    "grandma",
    "grandpa",
    "Reed",
    "anika",
    "iven",
)
"""Of espeak-ng; `f2` and `klatt5` are those of `sage` and `echo`."""
TUNING_TIMBRES = ("m3", "f4", "klatt2", "Andy", "Jacky", "travis", "zac", "iven2")
"""Of espeak-ng too; thresholds were chosen by them."""
HELD_OUT_TIMBRES = ("m4", "linda", "Lee")
ACCENTS = ("en-us", "en-gb-scotland", "en-us", "en-gb-x-rp")
TIMBRES = {
    name: EspeakVoice(f"{ACCENTS[number % 4]}+{name}", 30 + number * 37 % 50, 145 + number * 29 % 70, 70)
    for number, name in enumerate((*LEARNT_TIMBRES, *TUNING_TIMBRES, *HELD_OUT_TIMBRES))
}
"""All of them, each with a pitch and a pace of its own."""

LEARNT_VOICES = tuple(
    Voice("flite:slt", speed, pitch)
    for speed, pitch in (
        (1.0, 0),
        (1.15, 200),
        (0.95, 150),
        (1.05, 240),
        (0.88, 180),
        (1.2, 165),
        (1.0, 130),
        (1.1, 220),
        (0.9, 250),
        (1.02, 115),
    )
) + tuple(Voice("flite:kal16", speed, pitch) for speed, pitch in ((1.0, 0), (1.1, 130), (0.9, 90), (1.2, 150)))
TUNING_VOICES = tuple(Voice(f"espeak:{name}", 0.9 + 0.05 * n) for n, name in enumerate(TUNING_TIMBRES))
HELD_OUT_VOICES = (
    Voice("flite:rms"),
    Voice("flite:awb"),
    Voice("flite:rms", 1.15, 125),
    Voice("flite:awb", 1.1, 150),
    Voice("espeak:sage"),
    Voice("espeak:echo"),
    Voice("espeak:m4"),
    Voice("espeak:linda"),
    Voice("espeak:Lee", 1.1),
)


def written(text: str, voice: Voice) -> str | None:
    """Return a text as a voice has to be given it; None where the voice cannot say it."""
    if not voice.name.startswith("flite:") or not any(word in text for word in HUMMED):
        return text
    return None if "kal" in voice.name else HUMMED.get(text)
