"""The words that gates know: which hardly change an answer, and which do.

Lists of English, but for the negations, of which the commonest of other languages are here too.
"""

from __future__ import annotations

from typing import Final


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


FLEXIBLE: Final = _words(
    "a an the is are am be being do does doing can could would may might i i'm i'd me my mine myself you",
    "we us it its this that that's what's it's these those there here of to in on at for with by as about",
    "into and what how which please kindly tell show explain give help want wanted need like know let get",
    "got so just hi hello hey dear thanks thank also really actually some any if someone somebody",
    "something way ways best possible it'd i've have has having go going make making exactly i'll we're",
)
"""Words that may come and go: they hardly change an answer."""

NEGATED: Final = _words(
    "not isnt arent wasnt werent dont doesnt didnt cant couldnt wont wouldnt shouldnt mustnt hasnt havent",
    "hadnt cannot aint",
)
"""``not`` in one word, or without its apostrophe; as is whatever ends in ``n't``."""

NEGATIONS: Final = _words(
    "no never none nobody nothing nowhere neither nor without hardly barely scarcely rarely seldom lack",
    "lacks lacking fail fails failed stop stopped avoid refuse deny denied false wrong incorrect invalid",
    "inactive inaccurate incomplete inconsistent insecure inside except exclude excluding unless instead",
    "nicht kein keine nie ohne pas jamais sans rien sin nunca nada niet geen zonder mai senza nao sem",
    "inte ikke bez",
)
"""Words that turn a text round."""

MEANINGS: Final = _words(
    "who whom whose when where why long far many much often old tall deep wide heavy you're your yours",
    "his her hers him he she their theirs they them our ours was were did had been will won should must",
    "ought shall used ago now today tomorrow yesterday tonight current currently last latest next",
    "previous past future new newest oldest early earlier earliest late later since until till during",
    "daily weekly monthly yearly annual annually hourly more less fewer most least few several all every",
    "each both either only same different other another equal than above below over under up down out off",
    "from before after max maximum min minimum minimal maximal high higher highest low lower lowest big",
    "bigger biggest small smaller smallest large larger largest longer longest short shorter shortest",
    "fast faster fastest slow slower slowest cheap cheaper cheapest expensive better worse worst good bad",
    "hot hotter cold colder greater great or but versus vs against between through across towards toward",
    "away left right top bottom north south east west front back forward backward upper inner outer",
    "outside within beyond behind near around enable enabled disable disabled activate deactivate",
    "increase decrease raise reduce add remove delete create destroy insert install open close opened",
    "closed start end begin finish buy sell lend borrow take send receive push pull lock import export",
    "upload download encrypt decrypt encode decode connect accept reject decline allow forbid permit",
    "prohibit block include win lose pass love hate true yes legal safe dangerous public private internal",
    "external input output sync async read write set put post patch join leave enter exit rise fall grow",
    "shrink expand collapse hide merge split attach detach cancel confirm approve book pay refund charge",
    "credit debit alive dead married male female man woman boy girl father mother son daughter brother",
    "sister husband wife king queen percent degree degrees celsius fahrenheit kelvin meter meters metre",
    "metres kilometer kilometers km cm mm mile miles yard yards foot feet inch inches gram grams kilogram",
    "kilograms kg mg pound pounds ounce ounces ton tons liter liters litre litres gallon gallons seconds",
    "minute minutes hour hours day days week weeks month months year years century byte bytes kb mb gb tb",
    "bit bits dollar dollars euro euros yen cent cents watt watts volt volts joule joules calorie",
    "calories token tokens morning noon afternoon evening night midnight spring summer autumn winter pm",
)
"""Words whose change is a change of meaning, though vectors hardly show it: who asks of whom, where and
when; more and less; which of two opposites; units."""

_UP_TO_TWENTY: Final = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_MORE_NUMBERS: Final = _words(
    "thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen half",
    "quarter once twice thrice double triple single first second third fourth fifth sixth seventh eighth",
    "ninth tenth ii iii iv vi vii viii ix",
)

NUMBERS: Final = {word: word for word in _MORE_NUMBERS} | {
    word: str(n) for n, word in enumerate(_UP_TO_TWENTY)
}
"""Words for numbers, by what they are taken for: ``two`` is 2."""

NAMED: Final = _words(
    "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january",
    "february march april june july august september october november december christmas easter ramadan",
    "hanukkah diwali english german french spanish italian portuguese dutch russian chinese mandarin",
    "cantonese japanese korean arabic hebrew hindi urdu bengali turkish greek polish czech swedish",
    "norwegian danish finnish hungarian romanian ukrainian vietnamese thai indonesian latin swahili",
    "persian farsi american british canadian australian indian mexican brazilian irish scottish european",
    "african asian python java javascript typescript rust golang ruby php perl swift kotlin scala haskell",
    "sql html css bash react vue angular django flask afghanistan albania algeria argentina australia",
    "austria bangladesh belgium bolivia brazil britain bulgaria cambodia canada chile china colombia",
    "croatia cuba cyprus denmark ecuador egypt england estonia ethiopia finland france germany ghana",
    "greece hungary iceland india indonesia iran iraq ireland israel italy jamaica japan jordan kenya",
    "korea kuwait latvia lebanon libya lithuania luxembourg malaysia malta mexico morocco nepal",
    "netherlands nigeria norway pakistan panama paraguay peru philippines poland portugal qatar romania",
    "russia scotland serbia singapore slovakia slovenia somalia spain sudan sweden switzerland syria",
    "taiwan tanzania thailand tunisia turkey uganda ukraine uruguay usa uk america venezuela vietnam",
    "wales yemen zambia zimbabwe europe africa asia antarctica amsterdam athens atlanta bangkok barcelona",
    "beijing berlin boston brussels budapest cairo chicago copenhagen dallas delhi dubai dublin frankfurt",
    "geneva hamburg helsinki houston istanbul jakarta jerusalem lagos lisbon london lyon madrid",
    "manchester melbourne miami milan montreal moscow mumbai munich nairobi naples oslo ottawa paris",
    "prague rome seattle seoul shanghai stockholm sydney tokyo toronto vancouver venice vienna warsaw",
    "washington zurich texas california florida",
)
"""Names that are often typed without a capital. There are others; those are for a vector to tell apart."""
