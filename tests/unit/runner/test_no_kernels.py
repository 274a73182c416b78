"""The search for the machine code of TensorFlow's recurrent kernels, which a warm process wipes."""

import importlib.util
import mmap
from pathlib import Path


def test_every_name_to_wipe_has_a_word_that_is_looked_for() -> None:
    from driver.built_in.no_kernels import KEYWORDS, LIBRARY, WIPED

    spec = importlib.util.find_spec("tensorflow")
    assert spec is not None
    assert spec.origin is not None
    library = Path(spec.origin).with_name(LIBRARY)
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        names = {match.group() for match in WIPED.finditer(image)}
    assert len(names) > 100
    assert [name for name in names if not any(keyword in name for keyword in KEYWORDS)] == []
