"""What every finding says: the answer first, then the numbers, then how they were computed."""

from typing import ClassVar

FEW = 50
"""With fewer problems no share, cluster or correlation is answered for: its interval would span most of what it could be."""
TOO_FEW = "There are too few problems to say."


class Finding:
    """What was measured of a data set, in words; each kind of finding is a dataclass with its own figures."""

    question: ClassVar[str]
    """Which it answers."""
    method: ClassVar[str]
    """How the numbers were computed."""

    @property
    def answer(self) -> str:
        """One sentence, the verdict first."""
        raise NotImplementedError

    @property
    def numbers(self) -> str:
        """What the answer rests on."""
        raise NotImplementedError

    @property
    def reading(self) -> str:
        """Both together."""
        return f"{self.answer} {self.numbers}"
