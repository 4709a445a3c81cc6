"""The words by which functions are chosen: synonyms, common words, and what stands for the engine's own abilities.

All as stems.  Data for `dialogue.choosing`; pure.
"""

from __future__ import annotations

from .moments import MONTHS, WEEKDAYS
from .slots import stems
from .words import lexicon

SYNONYMS = tuple(
    stems(line)
    for line in """
light lamp bulb
weather forecast rain raining snow sunny umbrella climate
end hang hangup finish terminate goodbye bye disconnect
agent human person representative operator somebody someone staff support
transfer connect forward handoff escalate speak talk route
order buy purchase
book reserve schedule reservation booking arrange
appointment meeting event calendar schedule
cancel delete remove
balance account money funds bank dollar euro cash
pay payment transfer money send
send message text sms write
email mail
search look lookup locate nearest near nearby
stock share quote ticker
play music song track album
restaurant food eat dinner lunch
flight fly plane
translate translation
volume louder quieter loud quiet
temperature thermostat degrees warmer colder heat heating cooler
remind reminder remember
pizza margherita pepperoni
price cost much
switch toggle
tv television
call phone dial ring
joke funny laugh
news headline headlines
lock locked
door gate
open opened
close shut
hour hours open opening
direction directions route navigate drive
taxi cab ride
package parcel order shipment delivery track tracking
refund return money
bill invoice
image picture photo
verify confirm
customer caller
todo task
note notes memo
hotel room stay
change adjust
movie film
recipe cook
medicine prescription refill
alarm wake
dim brightness bright
block lost stolen
ticket issue problem complaint broken
""".strip().splitlines()
)

WEAK = stems(
    "get set find check show make do give current new function tool call use user return information info data "
    "value given "
    "name list take put add specific based provide request number type time one good today tomorrow turn please "
    "help can "
    "want look day on off up down say place retrieve fetch perform handle allow note go see way right"
)
"""Words of which no single one is enough to choose by."""

STOP = lexicon(
    "the a an of to in is are was were be my your our you i me we it at for and or that this what where do did does "
    "can could "
    "please would with from about there here which who how when than then very really some any so just not as if by "
    "will am "
    "us its has have had tell know like need now hey okay"
)
"""Words that say nothing about what is wanted."""

MOMENTS = frozenset((*WEEKDAYS, *MONTHS)) | lexicon(
    "next noon midnight tonight tomorrow morning afternoon evening am pm o'clock"
)
"""Words of days and times, which are values rather than wishes."""

OWN = {
    name: stems(words)
    for name, words in {
        "calc": "calculate calculator calculation math arithmetic sum compute expression equation evaluate",
        "convert": "convert conversion converter unit exchange",
        "time": "time clock",
        "date": "date today",
        "timer_set": "timer alarm countdown reminder",
        "timer_left": "timer alarm countdown",
        "timer_cancel": "timer alarm countdown",
        "list_add": "list shopping grocery cart todo basket task",
        "list_read": "list shopping grocery cart todo task",
        "list_remove": "list item shopping cart todo task",
        "list_clear": "list shopping cart todo",
        "remember": "note remember memory save store reminder remind preference",
        "recall": "note memory recall order account balance appointment booking lookup get find check status",
        "number_note": "number phone order code verify lookup track tracking account save update",
    }.items()
}
"""For each intent the engine can serve by itself the words of functions that are made for it."""

LOOSE = frozenset(("recall", "number_note", "remember"))
"""Intents so broad that they say little about a function."""

DOMAIN = {
    "weather": stems("weather forecast"),
    "light": stems("light lamp device switch"),
    "thermostat": stems("temperature thermostat climate"),
    "book": stems("book reservation appointment schedule event meeting calendar"),
    "alarm": stems("alarm reminder wake"),
}
"""For intents that only functions can serve, words of the names of such functions."""

DEEDS = stems("cancel delete remove transfer send pay block unlock refund terminate end hang")
"""What is not done by the way: such a function is called only when its deed is named."""

LOOKS_UP = stems("get check fetch read show find search lookup query retrieve list is status look view")
CHANGES = stems("set update change turn adjust control switch put modify create add delete remove cancel")
"""Words by which the name of a function shows what sort it is."""

HOLLOW = stems("get do tool function fetch a the my for of to user call")
"""Words in names of functions that nobody says."""

MAKES = stems("set add create start book order make schedule play reserve buy complete")
"""First words of names of functions that undo nothing."""

ACTS = stems("book order schedule make reserve send create add cancel delete remove transfer pay block buy submit")
"""First words of names of functions that do what cannot be meant by a question about it."""

UNDOES = stems("stop cancel delete remove undo clear end")
"""Words of wishes that something be not done, or be undone."""

ANNOUNCING = stems("say announce announcement broadcast speak repeat echo intercom")
"""Words in names of functions that are made for saying things."""
