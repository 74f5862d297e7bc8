"""Gold answers: numbers in every writing keep their value or are refused, and everything else keeps its text and its kind."""

import random
from decimal import Decimal

import pytest

from training.data.bad_row import BadRow
from training.data.gold import number_value, parse_gold, parse_number

WRITTEN = {
    "72": "72",
    " 72\n": "72",
    "72.0": "72",
    "18.": "18",
    "007": "7",
    "+5": "5",
    "-0": "0",
    ".5": "0.5",
    "-.5": "-0.5",
    "2.50": "2.50",
    "1,234": "1234",
    "1,234,567.89": "1234567.89",
    "1 000": "1000",
    "5 000 000": "5000000",
    "1\u202f000": "1000",
    "1'234": "1234",
    "1’234": "1234",
    r"10,\!000": "10000",
    "10{,}000": "10000",
    r"10\,000": "10000",
    r"1,\!234,\!567": "1234567",
    "−5": "-5",
    "–5": "-5",
    "- 5": "-5",
    "5%": "5",
    r"5\%": "5",
    "5 %": "5",
    "9 (apples)": "9",
    "$57": "57",
    "$ 57": "57",
    "57$": "57",
    "-$8": "-8",
    "$-8": "-8",
    r"\$70,000": "70000",
    "€5": "5",
    "5 €": "5",
    "$72$": "72",
    r"\(72\)": "72",
    r"\[72\]": "72",
    "1/2": "1/2",
    "-1 / 2": "-1/2",
    "1e5": "100000",
    "1.5E+3": "1500",
    "1e-3": "0.001",
    "٧٢": "72",
    "٣٫٥": "3.5",
    "1٬234": "1234",
    "৭২": "72",
    "७२": "72",
    "１，２３４": "1234",
}


@pytest.mark.parametrize(("written", "number"), WRITTEN.items())
def test_a_number_keeps_its_value_in_whatever_way_it_is_written(written: str, number: str) -> None:
    assert parse_number(written) == number
    gold = parse_gold(written)
    assert (gold.text, gold.kind) == (number, "number")


@pytest.mark.parametrize("written", ["", ".", "-", "1.2.3", "1-2", "2½", "²", "½", "0x10", "1_000", "1/0", "x", "12 apples"])
def test_what_is_no_number_is_none(written: str) -> None:
    assert parse_number(written) is None


@pytest.mark.parametrize("written", ["3,5", "3,50", "10,20", "1.234,56", "1.000.000", "1 234,5", "1.2.3"])
def test_what_may_be_one_number_or_another_is_refused_and_not_guessed(written: str) -> None:
    assert parse_number(written) is None
    with pytest.raises(BadRow) as raised:
        parse_gold(written)
    assert written in raised.value.detail
    assert parse_gold(written, latex=True).kind == "expression"


@pytest.mark.parametrize("written", ["1٢", "٧2", "৭٢"])
def test_digits_of_two_scripts_are_refused(written: str) -> None:
    assert parse_number(written) is None
    with pytest.raises(BadRow, match="two scripts"):
        parse_gold(written)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3,5", "3.5"),
        ("3,50", "3.50"),
        ("72", "72"),
        ("1.234", "1234"),
        ("1.234,56", "1234.56"),
        ("1 234,5", "1234.5"),
        ("1,002", "1.002"),
        ("−0,5", "-0.5"),
        ("3{,}5", "3.5"),
        (r"10\,000", "10000"),
        ("€3,50", "3.50"),
        ("1/2", "1/2"),
        ("٣,٥", "3.5"),
    ],
)
def test_a_decimal_comma_is_read_where_the_source_says_so(written: str, number: str) -> None:
    assert parse_number(written, decimal_comma=True) == number
    assert parse_gold(written, decimal_comma=True).text == number


@pytest.mark.parametrize("written", ["72.0", "1.23", ".5", "1,234,567"])
def test_points_that_part_no_thousands_are_refused_where_the_comma_is_decimal(written: str) -> None:
    assert parse_number(written, decimal_comma=True) is None


@pytest.mark.parametrize(("cell", "text"), [(3.5, "3.5"), (72.0, "72"), ([3.5], "3.5"), (Decimal("2.5"), "2.5")])
def test_a_cell_that_is_a_number_has_no_comma_to_mistake(cell: object, text: str) -> None:
    assert parse_gold(cell).text == parse_gold(cell, decimal_comma=True).text == text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (72, "72"),
        (-9867630.0, "-9867630"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e22, "1" + "0" * 22),
        (1e-7, "0.0000001"),
        ([72], "72"),
        (["72"], "72"),
        ([[7]], "7"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_numbers_and_lists_of_one_are_gold_answers(cell: object, text: str) -> None:
    gold = parse_gold(cell)
    assert (gold.text, gold.kind) == (text, "number")


@pytest.mark.parametrize("cell", [None, "", " ", "None", "null", "NaN", "n/a", float("nan"), float("inf")])
def test_nothing_is_no_gold_answer(cell: object) -> None:
    with pytest.raises(BadRow, match="no gold answer"):
        parse_gold(cell)


@pytest.mark.parametrize("cell", [True, False, [], [1, 2], {"a": 1}, b"7"])
def test_a_cell_of_another_kind_is_refused(cell: object) -> None:
    with pytest.raises(BadRow):
        parse_gold(cell)


def test_a_number_of_more_digits_than_can_be_written_is_refused() -> None:
    with pytest.raises(BadRow, match="too many digits"):
        parse_gold(10**5000)


@pytest.mark.parametrize(
    ("written", "text", "kind"),
    [
        (r"\frac{1}{2}", r"\frac{1}{2}", "expression"),
        (r"$\sqrt{2}$", r"\sqrt{2}", "expression"),
        ("x+1", "x+1", "expression"),
        ("x = 5", "x = 5", "expression"),
        ("(1,2)", "(1,2)", "expression"),
        ("[0,1)", "[0,1)", "expression"),
        ("1,2,3", "1,2,3", "expression"),
        ("7:30", "7:30", "expression"),
        ("2x", "2x", "expression"),
        ("A", "A", "choice"),
        ("(B)", "B", "choice"),
        ("C)", "C", "choice"),
        ("D.", "D", "choice"),
        (r"\text{(A)}", "A", "choice"),
        (r"$\textbf{(E)}$", "E", "choice"),
        ("Evelyn", "Evelyn", "text"),
        (r"\text{Evelyn}", "Evelyn", "text"),
        ("yes", "yes", "text"),
        ("12 apples", "12 apples", "text"),
        ("K", "K", "text"),
    ],
)
def test_everything_else_keeps_its_text_and_has_a_kind(written: str, text: str, kind: str) -> None:
    gold = parse_gold(written)
    assert (gold.text, gold.kind) == (text, kind)


def test_where_mathematics_is_expected_all_but_words_and_choices_is_an_expression() -> None:
    kinds = {text: parse_gold(text, latex=True).kind for text in ("12 apples", "K", "3,5", "Evelyn", "A", "A, B")}
    assert kinds == dict.fromkeys(("12 apples", "K", "3,5"), "expression") | {"Evelyn": "text", "A": "choice", "A, B": "text"}


@pytest.mark.parametrize("decimal_comma", [False, True])
def test_a_number_that_was_read_is_read_as_itself(decimal_comma: bool) -> None:
    pieces = [*"0123456789" * 2, *",.,. -+$%/eE'", "−", "٣", "৭", "\\!", "{,}", "\\,", "\u202f", " (x)", "€"]
    chance = random.Random(0)
    read = 0
    for _ in range(20_000):
        text = "".join(chance.choices(pieces, k=chance.randrange(1, 9)))
        number = parse_number(text, decimal_comma=decimal_comma)
        if number is not None:
            read += 1
            assert number.isascii()
            assert parse_number(number) == number, text
            assert number_value(number) is not None
    assert read > 1_000


def test_a_value_is_a_number_s_alone_and_one_that_a_float_holds() -> None:
    values = [number_value(gold) for gold in ("72", "1/4", "-1,000.5", "x", "", "1" * 400)]
    assert values == [72.0, 0.25, -1000.5, None, None, None]
