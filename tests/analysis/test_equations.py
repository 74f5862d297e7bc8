"""Equations recomputed, hostile ones included."""

from fractions import Fraction

import pytest

from analysis.equations import MAX_LENGTH, EquationCheck, check_equation, format_value
from training.data.problem import Equation


def checked(expression: str, result: str) -> EquationCheck:
    return check_equation(Equation(expression, result))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("48/2", "24"),
        ("18*.5", "9.00"),
        ("2*20*.01", ".4"),
        ("560//10", "56"),
        ("7//2", "3"),
        ("-7//2", "-4"),
        ("3/4", "3/4"),
        ("0.1+0.2", "0.3"),
        ("71+-3", "68"),
        ("-18/-2", "9"),
        ("-48+21+(-3)", "-30"),
        ("-2**2", "-4"),
        ("2**3**2", "512"),
        ("2**-1", "0.5"),
        ("2^10", "1024"),
        ("10-4-3", "3"),
        ("100/10/5", "2"),
        ("2+3*4", "14"),
        ("((2+3)*4)", "20"),
        ("20%*50", "10"),
        ("1/4", "25%"),
        ("1/4*100", "25%"),
        ("$1,250*2", "$2,500"),
        ("007*08", "056"),
        ("80 000/4", "20 000"),
        ("3 x 4", "12"),
        ("3 × 4 ÷ 2 − 1", "5"),
        ("12", "12"),
        ("5.*2", "10."),
        ("-$5+2", "-$3"),
    ],
)
def test_an_equation_that_holds_is_exact(expression: str, result: str) -> None:
    assert checked(expression, result).verdict == "exact"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("10/3", "3.3"),
        ("20/3", "6.67"),
        ("20/3", "6.66"),
        ("20/3", "6"),
        ("-20/3", "-7"),
        ("5/2", "3"),
        ("1/3", "33%"),
        ("1/3", "33.3%"),
    ],
)
def test_a_rounded_or_truncated_result_is_a_note_of_its_own(expression: str, result: str) -> None:
    assert checked(expression, result).verdict == "rounded"


@pytest.mark.parametrize(
    ("expression", "result"),
    [("48/2", "25"), ("10/3", "4"), ("10/3", "3.4"), ("10/3", "33/10"), ("-20/3", "-8"), ("1/3", "34%"), ("50%*200", "10000")],
)
def test_another_result_is_wrong_and_the_value_is_told(expression: str, result: str) -> None:
    check = checked(expression, result)
    assert check.verdict == "wrong"
    assert check.value is not None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("1/0", "divides by zero"),
        ("1//(2-2)", "divides by zero"),
        ("0**-1", "divides by zero"),
        ("9**9**9", "grows too large"),
        ("(((9**60)**60)**60)", "grows too large"),
        ("(10**900)*(10**900)", "grows too large"),
        ("2**0.5", "not an integer"),
        ("(1+2", "not closed"),
        ("1+2)", "')' where an operator should be"),
        ("1+", "ends where a number should be"),
        ("*3", "'*' where a number should be"),
        ("%", "'%' where a number should be"),
        ("2(3)", "'(' where an operator should be"),
        ("80 00", "'00' where an operator should be"),
        ("1,5+2", "holds ','"),
        ("1e5", "holds 'e'"),
        ("5 apples*2", "holds 'a'"),
        ("__import__('os')", "holds '_'"),
        ("٣+١", "holds '٣'"),
        ("½+½", "holds '½'"),
        ("🍎*2", "holds '🍎'"),
        (".", "holds '.'"),
        ("(" * 400 + "1" + ")" * 400, "nested more than"),
        ("-" * 400 + "1", "nested more than"),
        ("2**" * 300 + "1", "nested more than"),
        ("1+" * 500_000 + "1", "longer than"),
        ("(" * 1_000_000, "longer than"),
        ("9" * 1_000_000, "longer than"),
    ],
)
def test_what_is_not_plain_arithmetic_is_unreadable_on_either_side(expression: str, reason: str) -> None:
    left, right = checked(expression, "1"), checked("1", expression)
    assert (left.verdict, left.value) == ("unreadable", None)
    assert (right.verdict, right.value) == ("unreadable", 1)
    assert reason in left.reason
    assert reason in right.reason
    assert len(left.reason) < 200


def test_the_longest_equation_is_read() -> None:
    assert checked("1" * MAX_LENGTH, "1" * MAX_LENGTH).verdict == "exact"
    assert checked("1+" * (MAX_LENGTH // 2 - 1) + "1", str(MAX_LENGTH // 2)).verdict == "exact"
    assert checked("(" * 50 + "1" + ")" * 50, "1").verdict == "exact"


def test_values_are_written_for_people() -> None:
    assert format_value(Fraction(24)) == "24"
    assert format_value(Fraction(10, 3)) == "3.33333"
    assert format_value(Fraction(-1, 4)) == "-0.25"
    assert len(format_value(Fraction(9**1000))) == 60
