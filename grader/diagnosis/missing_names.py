"""Reasons why something that the class needs is missing: the statement that defines it failed.

A class raises a `NameError` if it uses a name from an import of a missing module. So does a class that uses a
class whose own statement failed. The real mistake is that statement.
"""

import re

from grader.diagnosis.reaching import at_import
from grader.execution.execution import Execution
from grader.report.finding import Finding, Params
from grader.report.server_paths import in_brief
from grader.sandbox.events import Raised, StatementFailed

UNKNOWN_NAME = re.compile(r"name '(\w+)' is not defined")
# Where the student's own cell is missing, the exercise's stands in for it, and another error names it.
_LACKING = re.compile(rf"{UNKNOWN_NAME.pattern}|(?<!\w)(LSTMCell)\b")
NO_ATTRIBUTE = re.compile(r"(?<![\w.])'?([\w.]*)'? (?:object )?has no attribute '(\w+)'")
MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
# Possible module names of somebody else's answer, and of the grader itself.
OTHER_WORK = re.compile(r"(?:.*[._])?(?:solutions?|answers?|expected|grader|reference|app)(?:[._].*)?$", re.IGNORECASE)
#: Packages that people import for such an exercise; other names are mostly the student's own files.
FAMILIAR = frozenset(
    """
    torch torchvision torchaudio torchtext pytorch_lightning lightning jax jaxlib flax haiku optax mxnet theano lasagne
    paddle cntk chainer tensorflow_addons tensorflow_datasets tensorflow_hub tensorflow_probability tensorflow_text
    tensorflow_model_optimization tflearn tensorboard tensorboardX keras_tuner keras_nlp keras_hub keras_cv keras_core
    keras_preprocessing keras_contrib keras_self_attention einops sonnet trax transformers datasets tokenizers
    sentencepiece sklearn skimage scipy pandas polars statsmodels xgboost lightgbm catboost matplotlib seaborn plotly
    bokeh altair PIL cv2 imageio nltk spacy gensim pymorphy2 razdel natasha navec corus tqdm requests bs4 wget gdown
    kaggle wandb mlflow optuna yfinance numba cupy dask joblib sympy networkx IPython ipywidgets google torchinfo
    torchsummary tensorflow_docs pydot graphviz livelossplot mplfinance librosa music21 gym gymnasium
    """.split()  # noqa: SIM905  # ninety quoted words are hard to read
)


def behind_missing_name(raised: Raised, execution: Execution, source: str) -> Finding | None:
    """Explain why a name that the class uses does not exist; None where no statement that defines it failed."""
    name = _lacking(raised)
    return _behind(name, execution, source) if name else None


def behind_missing_module(failed: StatementFailed | Raised, name: str | None = None) -> Finding | None:
    """Name the cause when an import fails because a module is missing.

    Args:
        name: the name that the import would define.
    """
    where: Params = {} if name in (None, "*") else {"name": name}
    if isinstance(failed, StatementFailed):
        where["line"] = failed.line
    if match := MISSING_MODULE.search(failed.message):
        module = match[1]
        if OTHER_WORK.match(module):
            return Finding.of("imports_solution", {"module": module, **where})
        if module.partition(".")[0] in FAMILIAR:
            variant = "torch" if module.startswith("torch") else None
            return Finding.of("missing_package", where, package=module, variant=variant)
        if module.startswith(("tensorflow.", "keras.")):
            return Finding.of("tf1_api", {"message": module, **where}, variant="module")
        return Finding.of("other_file", {"module": module, **where})
    if "attempted relative import" in failed.message:
        module = failed.module if isinstance(failed, StatementFailed) else None
        return Finding.of("other_file", {"module": module or ".", **where})
    return None


def behind_failure(
    failed: StatementFailed, execution: Execution, source: str, name: str | None = None
) -> Finding | None:
    """Explain why a defining statement failed; None where only its own error gives a reason."""
    if problem := behind_missing_module(failed, name):
        return problem
    if tried := at_import(failed.line, execution):
        return tried
    missing = _lacking(failed)
    return _behind(missing, execution, source, before=failed.line) if missing else None


def follows_from_another(failed: StatementFailed, execution: Execution) -> bool:
    """Return whether a statement failed because it lacks a name that an earlier, failed statement would define."""
    missing = _lacking(failed)
    return missing is not None and _bringer(missing, execution, failed.line) is not None


def cause_of(raised: Raised, execution: Execution) -> Raised | StatementFailed:
    """Follow a missing name to the failed statement that would define it, as far as such statements go."""
    cause: Raised | StatementFailed = raised
    before = None
    while (missing := _lacking(cause)) and (failed := _bringer(missing, execution, before)):
        cause, before = failed, failed.line
    return cause


def definition_failed(failed: StatementFailed, name: str) -> Finding:
    """Report the statement that would define a name."""
    message = in_brief(failed.message)
    return Finding.of("definition_failed", name=name, line=failed.raised_at, type=failed.type, message=message)


def _behind(name: str, execution: Execution, source: str, before: int | None = None) -> Finding | None:
    failed = _bringer(name, execution, before)
    if failed is None:
        return None
    return behind_failure(failed, execution, source, name) or definition_failed(failed, name)


def _lacking(raised: Raised | StatementFailed) -> str | None:
    found = _LACKING.search(raised.message)
    return found[1] or found[2] if found else None


def _bringer(name: str, execution: Execution, before: int | None) -> StatementFailed | None:
    """Find the last failed statement that would define a name."""
    failures = [failed for failed in execution.statements_failed if before is None or failed.line < before]
    named = [failed for failed in failures if name in failed.binds]
    # A star import may have meant any name.
    found = named or [failed for failed in failures if "*" in failed.binds]
    return found[-1] if found else None
