"""How a word that no dictionary has is probably pronounced: a small table of English spellings.

Good enough for a name to be heard at all, which is what it is for.  Pure; called for a session's own words.
"""

from __future__ import annotations

LONGEST_LETTERS = 24
"""A longer word is not spoken English."""

_VOWELS = frozenset("aeiouy")
_LETTER_NAMES = """
EY|B IY|S IY|D IY|IY|EH F|JH IY|EY CH|AY|JH EY|K EY|EH L|EH M|EH N|OW|P IY|K Y UW|AA R|EH S|T IY|Y UW|V IY
|D AH B AH L Y UW|EH K S|W AY|Z IY
"""
_LETTERS = dict(zip("abcdefghijklmnopqrstuvwxyz", _LETTER_NAMES.replace("\n", "").split("|"), strict=True))
_TABLE = """
tion=SH AH N,sion=ZH AH N,cious=SH AH S,tious=SH AH S,ought=AO T,aught=AO T,ough=OW,augh=AO F,eigh=EY,igh=AY,
tch=CH,dge=JH,sch=SH,ch=CH,sh=SH,th=TH,ph=F,gh=G,wh=W,wr=R,kn=N,ck=K,qu=K W,ng=NG,nk=NG K,
ll=L,ss=S,tt=T,pp=P,bb=B,dd=D,ff=F,gg=G,mm=M,nn=N,rr=R,zz=Z,cc=K,kk=K,vv=V,
air=EH R,are=EH R,ear=IH R,eer=IH R,ire=AY R,ore=AO R,our=AW R,ure=Y UH R,oar=AO R,oor=AO R,
ar=AA R,er=ER,ir=ER,or=AO R,ur=ER,yr=ER,
ai=EY,ay=EY,au=AO,aw=AO,ea=IY,ee=IY,ei=EY,eu=Y UW,ew=Y UW,ey=IY,ie=IY,oa=OW,oe=OW,oi=OY,oo=UW,ou=AW,
ow=OW,oy=OY,ue=UW,ui=UW,uy=AY,ia=IY AH,io=IY OW,eo=IY OW,ua=UW AH,ae=EY,
ce=S,ci=S IH,cy=S IY,ge=JH,gi=JH IH,gy=JH IY,
a=AE,b=B,c=K,d=D,e=EH,f=F,g=G,h=HH,i=IH,j=JH,k=K,l=L,m=M,n=N,o=AA,p=P,q=K,r=R,s=S,t=T,u=AH,v=V,w=W,x=K S,y=IY,z=Z
"""
_SPELLINGS = dict(pair.split("=") for pair in _TABLE.replace("\n", "").split(","))
"""Groups of letters and what they say; the longest that fits decides."""
_WIDEST = max(map(len, _SPELLINGS))
_LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW", "y": "AY"}
"""What a vowel says before one consonant and a silent e, and at the end of a short word."""
_AT_END = {"a": "AH", "e": "IY", "i": "IY", "o": "OW", "u": "UW", "y": "IY"}


def pronunciation(word: str) -> str:
    """Return the phones of `word` (lower case letters and apostrophes); empty when it has none to say."""
    letters = word.replace("'", "")[:LONGEST_LETTERS]
    if not letters or not letters.isascii() or not letters.isalpha():
        return ""
    if not _VOWELS & set(letters):
        return " ".join(_LETTERS[letter] for letter in letters)
    phones: list[str] = []
    i = 0
    while i < len(letters):
        spelling, sound = _next(letters, i)
        i += len(spelling)
        if sound:
            phones.append(sound)
    return " ".join(phones)


def _next(letters: str, i: int) -> tuple[str, str]:
    """Return the group of letters at `i` and its phones."""
    letter, rest = letters[i], letters[i + 1 :]
    if letter in _LONG:
        if letter == "e" and not rest and i > 2 and _VOWELS & set(letters[: i - 1]):
            return letter, ""
        if len(rest) == 2 and rest[0] not in _VOWELS | {"r", "w", "x"} and rest[1] == "e":
            return letter, _LONG[letter]
        if not rest:
            return letter, _LONG[letter] if len(letters) == 2 else _AT_END[letter]
    if letter == "y" and i == 0:
        return letter, "Y"
    for width in range(min(_WIDEST, len(letters) - i), 0, -1):
        spelling = letters[i : i + width]
        if spelling in _SPELLINGS:
            return _softened(spelling, letters, i)
    raise AssertionError("every letter stands in the table")


def _softened(spelling: str, letters: str, i: int) -> tuple[str, str]:
    """Return a group whose e only softens the consonant before it without that e when the e is itself spoken."""
    if spelling in ("ce", "ge") and i + 2 < len(letters):
        return spelling[0], _SPELLINGS[spelling]
    if spelling == "gh" and i > 0:
        return spelling, ""
    return spelling, _SPELLINGS[spelling]
