"""Whose try to sign in is looked at next, while somebody guesses."""

from dashboard.client_address import household
from dashboard.sign_in_tries import SignInTries, wait_s_after

HERE, ELSEWHERE = "203.0.113.9", "203.0.113.10"


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def guessed(clock: Clock, times: int = 3) -> SignInTries:
    """After that many wrong tries from one address."""
    tries = SignInTries(clock)
    for _ in range(times):
        tries.count_wrong(HERE)
    return tries


def test_a_session_waits_longer_the_more_often_it_was_wrong() -> None:
    assert [wait_s_after(wrong) for wrong in (0, 1, 3, 4, 5, 9, 10_000)] == [0, 0, 0, 2, 4, 30, 30]


def test_after_some_wrong_tries_an_address_has_one_a_second_looked_at() -> None:
    tries = guessed(clock := Clock())
    assert tries.wait_s(HERE, "a", 0) == 0
    assert tries.wait_s(HERE, "b", 0) > 0
    assert tries.wait_s(HERE, "c", 0) > 0
    clock.now += 1
    assert tries.wait_s(HERE, "c", 0) > 0  # b came first
    assert tries.wait_s(HERE, "b", 0) == 0
    clock.now += 1
    assert tries.wait_s(HERE, "c", 0) == 0


def test_other_addresses_do_not_wait() -> None:
    tries = guessed(Clock(), 1_000)
    assert [tries.wait_s(ELSEWHERE, "a", 0) for _ in range(9)] == [0] * 9


def test_who_has_not_been_wrong_comes_before_who_has() -> None:
    """Behind a proxy the guesser's address may be everybody's."""
    tries = guessed(clock := Clock())
    assert tries.wait_s(HERE, "first", 0) == 0
    for name in range(5):
        assert tries.wait_s(HERE, f"guesser {name}", 1) > 0
    assert tries.wait_s(HERE, "person", 0) > 0
    clock.now += 1
    assert tries.wait_s(HERE, "guesser 0", 1) > 0
    assert tries.wait_s(HERE, "person", 0) == 0


def test_who_has_been_wrong_has_a_turn_too_however_many_come() -> None:
    tries = guessed(clock := Clock())
    for second in range(100):
        if tries.wait_s(HERE, "person", 3) == 0:
            break
        clock.now += 1
        assert tries.wait_s(HERE, f"guesser {second}", 0) >= 0
        assert tries.wait_s(HERE, f"guesser {second} again", 0) >= 0
    assert second < 40


def test_everybody_gets_their_turn_in_the_order_in_which_they_came() -> None:
    tries = guessed(clock := Clock())
    waiting = [f"session {number}" for number in range(40)]
    turns = []
    for _ in range(40):
        ready = [name for name in waiting if tries.wait_s(HERE, name, 0) == 0]
        turns += ready
        waiting = [name for name in waiting if name not in ready]
        clock.now += 1
    assert turns == [f"session {number}" for number in range(40)]


def test_who_leaves_does_not_hold_up_the_line() -> None:
    tries = guessed(clock := Clock())
    assert tries.wait_s(HERE, "a", 0) == 0
    assert tries.wait_s(HERE, "leaves", 0) > 0
    assert tries.wait_s(HERE, "vanishes", 0) > 0
    assert tries.wait_s(HERE, "stays", 0) > 0
    tries.leave(HERE, "leaves")
    tries.leave(ELSEWHERE, "was never there")
    clock.now += 6
    assert tries.wait_s(HERE, "stays", 0) == 0


def test_an_address_is_forgiven_after_a_while() -> None:
    tries = guessed(clock := Clock(), 50)
    clock.now += 601
    assert [tries.wait_s(HERE, name, 0) for name in "abc"] == [0] * 3
    tries.count_wrong(HERE)
    assert [tries.wait_s(HERE, name, 0) for name in "abc"] == [0] * 3


def test_only_so_many_addresses_are_remembered() -> None:
    tries = guessed(Clock())
    for number in range(10_000):
        tries.count_wrong(str(number))
    assert len(tries._addresses) == 4_096
    assert tries.wait_s(HERE, "a", 0) == 0


def test_one_asker_has_one_address_or_a_network_of_them() -> None:
    assert household("203.0.113.9") == household("::ffff:203.0.113.9") == "203.0.113.9"
    assert household("2001:db8:1:2::1") == household("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert household("2001:db8:1:2::1") != household("2001:db8:1:3::1")
    assert (household(None), household("testclient")) == ("", "testclient")
