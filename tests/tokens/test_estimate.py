"""The estimate is close enough to settle a stream that was cut off, whatever it was writing."""

# ruff: noqa: RUF001 - Chinese punctuation is what is meant

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.tokens import text
from tokenguard.tokens.estimate import estimate, estimate_bytes

TEXTS = {
    "English answer": (
        "The quickest way to get there is by train. Trains leave every twenty minutes from the central "
        "station, and the ride takes a little under an hour. If you prefer to drive, follow the coast road "
        "north until you reach the second roundabout, then take the exit towards the harbour. Parking is "
        "limited in summer, so arrive before ten o'clock or use the field behind the school. Tickets can "
        "be bought on board, but they cost about thirty percent more than those from the machine."
    ),
    "Markdown": (
        "## How to install\n\n1. **Download** the archive from the [releases page](https://example.com/r).\n"
        "2. Unpack it:\n\n```bash\ntar -xzf app-1.4.2.tar.gz\ncd app-1.4.2 && make install\n```\n\n"
        "| Option | Default | Meaning |\n|---|---|---|\n| `--jobs` | 4 | how many jobs run at once |\n"
        "| `--verbose` | off | say more about what happens |\n\n> **Note:** restart the service afterwards.\n"
    ),
    "Python": (
        "def moving_average(values: list[float], window: int) -> list[float]:\n"
        '    """Average each value with its neighbours."""\n'
        "    if window < 1:\n        raise ValueError(f'window must be positive, not {window}')\n"
        "    result = []\n    for index in range(len(values) - window + 1):\n"
        "        chunk = values[index : index + window]\n        result.append(sum(chunk) / window)\n"
        "    return result\n"
    ),
    "JSON": (
        '{"id": "ord_20931", "customer": {"name": "Ada Byron", "email": "ada@example.com"}, "items": ['
        '{"sku": "KB-104", "quantity": 2, "price": 49.95}, {"sku": "MS-220", "quantity": 1, "price": 25.0}'
        '], "paid": true, "shipped_at": null, "notes": "Leave the parcel with the neighbour, please."}'
    ),
    "SQL": (
        "SELECT c.name, COUNT(o.id) AS orders, SUM(o.total) AS revenue FROM customers c JOIN orders o ON "
        "o.customer_id = c.id WHERE o.created_at >= '2025-01-01' AND o.status <> 'cancelled' GROUP BY c.name "
        "HAVING SUM(o.total) > 1000 ORDER BY revenue DESC LIMIT 25;"
    ),
    "French": (
        "Le conseil municipal a décidé hier soir de prolonger la ligne de tramway jusqu'à la gare. Les "
        "travaux commenceront au printemps et dureront près de deux ans, pendant lesquels la circulation "
        "sera déviée. Les commerçants du quartier, inquiets pour leur clientèle, demandent une indemnité."
    ),
    "German": (
        "Der Stadtrat hat gestern Abend beschlossen, die Straßenbahnlinie bis zum Bahnhof zu verlängern. "
        "Die Bauarbeiten beginnen im Frühjahr und dauern fast zwei Jahre, während der Verkehr umgeleitet "
        "wird. Die Geschäftsleute des Viertels fürchten um ihre Kundschaft und fordern Entschädigungen."
    ),
    "Spanish": (
        "El ayuntamiento decidió anoche prolongar la línea del tranvía hasta la estación. Las obras "
        "empezarán en primavera y durarán casi dos años, durante los cuales se desviará el tráfico. Los "
        "comerciantes del barrio temen por su clientela y piden una compensación económica."
    ),
    "Russian": (
        "Городской совет вчера вечером решил продлить трамвайную линию до вокзала. Работы начнутся весной "
        "и продлятся почти два года, движение на это время будет перенаправлено. Владельцы магазинов "
        "опасаются потерять покупателей и требуют компенсации."
    ),
    "Chinese": (
        "市议会昨晚决定将有轨电车线路延长至火车站。工程将于春季开始，历时近两年，期间交通将绕行。"
        "附近的商家担心失去顾客，要求得到补偿。市长表示，新线路建成后，每天将有三万人受益。"
    ),
    "Japanese": (
        "市議会は昨夜、路面電車の路線を駅まで延長することを決めました。工事は春に始まり、二年近く続く"
        "見込みで、その間は交通が迂回となります。近隣の店主たちは客が減ることを心配し、補償を求めています。"
    ),
    "Korean": (
        "시의회는 어젯밤 전차 노선을 기차역까지 연장하기로 결정했다. 공사는 봄에 시작되어 거의 2년 동안 "
        "계속되며 그동안 교통은 우회하게 된다. 인근 상인들은 손님을 잃을까 걱정하며 보상을 요구하고 있다."
    ),
    "Arabic": (
        "قرر مجلس المدينة مساء أمس تمديد خط الترام حتى محطة القطار. ستبدأ الأعمال في الربيع وتستمر قرابة "
        "عامين، وسيتم خلالها تحويل حركة المرور. ويخشى أصحاب المتاجر في الحي فقدان زبائنهم ويطالبون بتعويض."
    ),
    "Hindi": (
        "नगर परिषद ने कल रात ट्राम लाइन को रेलवे स्टेशन तक बढ़ाने का निर्णय लिया। काम वसंत में शुरू होगा और लगभग "
        "दो साल तक चलेगा, इस दौरान यातायात दूसरे रास्ते से जाएगा। दुकानदारों को ग्राहक खोने का डर है।"
    ),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_an_estimate_is_within_a_quarter_of_the_count(kind: str) -> None:
    """On texts that the weights were not fitted to."""
    assert estimate(TEXTS[kind]) == pytest.approx(text.count(TEXTS[kind], "gpt-4o"), rel=0.25)


def test_estimates_are_within_a_tenth_on_average() -> None:
    """The mean error over these texts is what a bill of many calls sees."""
    errors = [abs(estimate(sample) / text.count(sample, "gpt-4o") - 1) for sample in TEXTS.values()]
    assert sum(errors) / len(errors) < 0.10


@settings(deadline=None)
@given(st.text(min_size=1))
def test_no_text_is_free(given_text: str) -> None:
    """Whatever was delivered came to at least one token."""
    assert estimate(given_text) >= 1


def test_nothing_is_nothing() -> None:
    """No text, no tokens."""
    assert estimate("") == 0
    assert estimate_bytes(0) == 0


@settings(deadline=None)
@given(st.text(), st.text())
def test_more_text_is_not_fewer_tokens(first: str, second: str) -> None:
    """Two texts in one are estimated at no less than the larger one alone, rounding and indents aside."""
    assert estimate(first + second) >= max(estimate(first), estimate(second)) * 0.9 - 1


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=10**9))
def test_bytes_are_a_quarter_of_a_token_each(n_bytes: int) -> None:
    """When only the length is known, four bytes are a token."""
    assert n_bytes / 4 <= estimate_bytes(n_bytes) < n_bytes / 4 + 1
