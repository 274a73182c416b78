"""The one table of names of constructor parameters, which gives the meaning of each.

A name is words: nouns, which say what is counted, and measures, which say that something is counted. ``num_hiddens``,
``hiddenSize``, ``nhid``, ``razmer_x``, ``число_нейронов``. Students write them in English, in Russian, and in Russian
with Latin letters.
"""

import re

#: Words of parameter names, by meaning: how much of something, or of what. All known names stand here. When a name has
#: several nouns, the one that stands higher decides: ``input_units`` means features.
TABLE = """
measure    n num number nb nr cnt count amount total of d dim dims dimension dimensions dimensionality size sizes sz
measure    len length maxlen maxlength width w s m k shape the layer vector model max maximum fan
measure    kol vo kolvo kolichestvo chislo razmer razmery razmernost razm dlina shirina
measure    кол во колво количество число размер размеры размерность разм длина ширина
batch      b batch batches bs bsz minibatch batchsize paket paketa батч батча пакет пакета
timesteps  seq seqs sequence sequences time times timestep timesteps step steps t tmax seqlen sl
timesteps  posl posledovatelnost shag shagov shagi посл последовательность последовательности шаг шагов шаги
features   in inp inps input inputs x xs emb embs embed embedding embeddings embd e vocab vocabulary voc v
features   word words token tokens channels inputsize
features   vhod vhoda vhodov vhodnoy slovar slov priznak priznaki priznakov
features   вход входа входов словарь слов признак признаки признаков эмбеддинг эмбеддинга
units      h hs hid hids hidden hiddens hide u unit units neuron neurons neurones neuro node nodes cell cells
units      state states rnn rnns lstm lstms out outs output outputs latent memory mem y capacity
units      neuronov neurony neiron neirony neironov neyron neyrony neyronov yacheyka yacheek
units      skryt skrytyh skrytoe skrytogo skrytyy sostoyanie sostoyaniya vyhod vyhoda vyhodov vihod
units      нейрон нейроны нейронов скрытый скрытых скрытое скрытого скрытые состояние состояния
units      выход выхода выходов ячейка ячеек юнитов
weak       feature features feat feats
"""
# Measures that mean time steps where the name has no noun: ``max_len``.
LENGTHS = frozenset({"len", "length", "maxlen", "maxlength", "dlina", "длина"})


def _table(text: str) -> dict[str, frozenset[str]]:
    lines = [line.split() for line in text.strip().splitlines()]
    kinds = dict.fromkeys(kind for kind, *_ in lines)
    return {kind: frozenset(word for first, *words in lines for word in words if first == kind) for kind in kinds}


NOUNS = _table(TABLE)
MEASURES = NOUNS.pop("measure")
ALL_NOUNS = frozenset(word for words in NOUNS.values() for word in words)
# A measure joined to a noun, before or behind it: ``nhid``, ``hsize``, ``numhiddens``, ``maxlen``.
GLUED = re.compile(
    rf"(n|nb|num|number|kol|kolvo|chislo)?({'|'.join(sorted(ALL_NOUNS, key=len, reverse=True))})"
    r"(size|dim|dims|len|length|width|num|count|n)?"
)

#: Names of parameters that are no sizes -> the value in the exercise's own layer, the best guess first.
SETTINGS: tuple[tuple[re.Pattern[str], tuple[object, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), values)
    for pattern, values in (
        (r"return_?(all_?)?(seqs?|sequences?|steps|hiddens)|return_all", (True,)),
        (r"(num|n|nb)?_?(layers?|stacks?|directions|blocks)|depth|sloev|n_?sloev|kolvo_sloev", (1,)),
        (
            r"(recurrent|inner|gates?|rec|inner|state|sigma)_?(act|activation|nonlinearity)(_?(fn|func|function))?",
            ("sigmoid", "function:sigmoid"),
        ),
        (r"(\w+_)?(act|activation|activ|nonlinearity)(_?(fn|func|function|name))?|phi", ("tanh", "function:tanh")),
        (r"keep_?prob(ability)?|p_?keep", (1.0,)),
        (r"(\w+_)?drop(_?out)?(_?(rate|prob|p|probability))?|rate|p_?drop(out)?|zoneout|noise(_?std)?", (0.0,)),
        (r"(l1|l2|reg|regularization|weight_?decay)(_?(rate|coef|lambda))?|alpha|lmbda|lambda_", (0.0,)),
        (r"(unit_)?forget_?bias(_?init)?|f_?bias", (0.0, 1.0, False)),
        (r"((use|with|has|add)_)?bias(es)?|trainable|batch_?first|built_?in_?bias", (True,)),
        (r"return_?(state|states|h|c|last)|stateful|(go_?)?backwards?|revers\w*|unroll|time_?major|bidir\w*", (False,)),
        (r"peep\w*|((layer|batch)_?)?norm\w*|residual|zero_output\w*|masking|use_(?!bias)\w+|is_\w+", (False,)),
        (r"verbose|debug|training|train", (False,)),
        (r"(\w+_)?(regularizer|constraint|mask|parent|callback|logger|device)|initial_state", (None,)),
        (r"(recurrent|rec)_?init(ializer)?", ("orthogonal",)),
        (r"b(ias)?_?init(ializer)?", ("zeros",)),
        (r"(\w+_)?init(ializer)?", ("glorot_uniform",)),
        (r"(layer_?|model_?)?(name|title)|prefix|imya|nazvanie|scope", ("lstm",)),
        (r"d_?type|float_?type", ("float32",)),
        (r"seed|random_?(state|seed)", (0,)),
        (r"lr|learning_?rate|std|stddev|sigma|(\w+_)?(scale|std|stddev)", (0.01, 1.0)),
        (r"epochs?", (1,)),
    )
)
CONFIGURATION = re.compile(
    r"(\w+_)?(config|conf|cfg|configuration|hparams?|hp|hyper_?params?|params?|parameters|settings|opts?|options|args"
    r"|nastroyki|параметры|настройки)",
    re.IGNORECASE,
)
CELL = re.compile(r"_?(lstm_?|rnn_?|my_?)?(cell|yacheyka|ячейка)(_?(fn|class|cls|type|obj|layer))?", re.IGNORECASE)
CELL_CLASS = re.compile(r"\w*(fn|class|cls|type)", re.IGNORECASE)


def role_of(name: str) -> str | None:
    """Return the size of a case that a name stands for: ``units``, ``features``, ``timesteps``, ``batch``, or None.

    None for a name of measures alone (``n``, ``razmer``, ``dim``), which does not say what is counted: see
    `is_measure`.
    """
    if setting(name) is not None or CELL.fullmatch(name):
        return None
    nouns = {noun for word in _words(name) for noun in _nouns(word)}
    if None in nouns:
        return None
    if not nouns and LENGTHS.intersection(_words(name)):
        return "timesteps"
    role = next((role for role, known in NOUNS.items() if nouns & known), None)
    # ``in_features``, ``out_features``: the prefix decides.
    return "features" if role == "weak" else role


def is_measure(name: str) -> bool:
    """Return whether a name says that something is counted, but not what."""
    return role_of(name) is None and all(word in MEASURES for word in _words(name))


def setting(name: str) -> tuple[object, ...] | None:
    """List values for a parameter of this name, if it is not a size; ``function:tanh`` means the function itself."""
    return next((values for pattern, values in SETTINGS if pattern.fullmatch(name)), None)


def _words(name: str) -> list[str]:
    found = re.findall(r"[^\W\d_]+", name)
    parts = [part for word in found for part in re.findall(r"[A-ZА-ЯЁ]+(?![a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+", word)]
    return [part.lower() for part in parts]


def _nouns(word: str) -> set[str | None]:
    """Collect the nouns in one word; None among them when the word is not a known noun."""
    if word in ALL_NOUNS:
        return {word}
    if word in MEASURES:
        return set()
    match = GLUED.fullmatch(word)
    # One letter is a noun behind ``n`` (``nh``) or before a measure (``hsize``), where the rest is long enough to be
    # clear.
    return {match[2]} if match and (match[1] or match[3]) else {None}
