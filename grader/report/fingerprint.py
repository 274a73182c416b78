"""The fingerprint of a submission's code, by which it is compared with others: in a batch, and in a course.

The limited reader child makes one of each statement that the class needs
(`grader/runner/reader/fingerprints.py`). Here those that everybody has, from the course's own notebook, are taken
out of the normal form, and the others become one. Equal code says little where it is short: right answers look alike.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

#: Two people may write so few statements alike. With the supplied cell, the class of the exercise takes 14.
FEW_STATEMENTS = 20
#: Hashes, of the text and of the normal form, of the course's cell, of the class as the notebook has it to fill in (in
#: two languages), and of the answer that the course has published. Where a change of the normal form changes these, a
#: migration has to empty `Submission.code_statements`: stored forms are no longer comparable until the attempts are
#: graded again.
KNOWN = frozenset(
    {
        "403661e2bdecd876d569b775b9d1803a",
        "45344832c08da5ae079ad4dc904c1fe0",
        "709006377c4ed64e6cedd20d13588afa",
        "7d60b295b69032ec42e7f28ad7b48426",
        "84b906ff36d8f3a8258691d53f18db14",
        "9d08d2e5b47adb86f2240bb1b7a56aea",
        "9d34a727db379ad49bbeb0e3be08ebf4",
        "e1206cd64d7d99656cd66e4756dfd5e0",
        "e2e68725308e5b0ae28a9a9b6a63c3bf",
    }
)

Hash = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
JoinedHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Compared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StatementPrint(_Compared):
    """Hashes of one top-level statement: as it is written, and in normal form; and the statements inside it."""

    text: Hash
    form: Hash
    statements: Annotated[int, Field(gt=0, le=1_000_000)]


class Fingerprint(_Compared):
    """Hashes of the code. Where the normal forms are equal and the texts are not, names and the like differ.

    Attributes:
        text: of the code as it is written, apart from white space, without what everybody has; None: no class was read.
        form: of its normal form; None as well.
        statements: the number of its statements; 0: everybody has this code.
    """

    text: JoinedHash | None = None
    form: JoinedHash | None = None
    statements: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @classmethod
    def of(cls, prints: Sequence[StatementPrint]) -> Self:
        """Join the prints of a submission. The order of its functions and classes makes no difference."""
        if not prints:
            return cls()
        own = [each for each in prints if each.form not in KNOWN]
        # A mistake in the course's cell may leave its form as it was.
        written = [each for each in prints if each.text not in KNOWN]
        # White space means something in Python, so only code with an equal form has an equal text.
        text = _joined(sorted(f"{each.form} {each.text}" for each in written or prints))
        form = _joined(sorted(each.form for each in own or prints))
        return cls(text=text, form=form, statements=sum(each.statements for each in own))


def says_little(statements: int) -> bool:
    """Return whether equal code in so few statements is nothing unusual."""
    return statements < FEW_STATEMENTS


def _joined(hashes: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
