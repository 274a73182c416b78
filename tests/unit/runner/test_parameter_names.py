"""Meanings of the names of constructors' parameters. A new name goes into the table and in here."""

from __future__ import annotations

import pytest

NAMES = {
    "units": """
        units unit n_unit n_units num_units numUnits nunits number_of_units u h H H_SIZE h_size hsize hs h_dim n_h nh
        hid nhid n_hid hid_size hidden hiddens hidden_len hidden_size hidden_dim hidden_units hiddenSize HiddenSize
        n_hidden nhidden num_hidden num_hiddens hidden_state_size hidden_layer_size hidden_neurons neurons n_neurons
        num_nodes num_cells cell_size cell_units state_size state_dim rnn_size rnn_dim lstm_size lstm_units latent_dim
        memory_size out out_size out_dim output_len output_dim num_outputs n_out out_features capacity d_h
        razmer_h n_neironov kolvo_neuronov chislo_neyronov razmer_sostoyaniya vyhod skrytyh
        число_нейронов размер_состояния нейронов
    """,
    "features": """
        features n_features num_feats feature_size in_features in_size n_in d_in nin input inputs input_size input_dim
        input_len num_inputs n_input n_inputs input_units input_features emb emb_size EMB_SIZE emb_dim e_size E embed
        embedding embedding_dim vocab vocab_size word_dim token_size x_dim x_size nx input_shape vhod razmer_x
        размер_входа признаков размер_эмбеддинга
    """,
    "timesteps": """
        timesteps steps n_steps seq seq_len SEQ_LEN seq_length sequence_length num_steps time_steps max_len maxlen
        t_max T len length shagov dlina длина_последовательности
    """,
    "batch": "batch batch_size BATCH_SIZE bs b_size n_batch num_batches B",
    "measure": "n m N M D k size dim d_model razmer kolvo kol_vo razmernost width layer_size vector_size размер число",
    "setting": """
        activation act recurrent_activation dropout dropout_rate recurrent_dropout keep_prob use_bias bias
        return_sequences return_state stateful go_backwards num_layers n_layers layers bidirectional batch_first name
        dtype seed kernel_initializer bias_initializer kernel_regularizer forget_bias verbose training sigma lr
    """,
    "nothing": "qq a p foo tokenizer then hex net units_flag cell lstm_cell config params",
}


def _says(name: str) -> str:
    from driver.student.parameter_names import is_measure, role_of, setting

    return role_of(name) or ("measure" if is_measure(name) else "setting" if setting(name) is not None else "nothing")


@pytest.mark.parametrize("kind", NAMES)
def test_names_say_what_they_count(kind: str) -> None:
    names = NAMES[kind].split()
    assert {name: _says(name) for name in names} == dict.fromkeys(names, kind)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation", "tanh"),
        ("recurrent_activation", "sigmoid"),
        ("gate_activation", "sigmoid"),
        ("return_sequences", True),
        ("return_state", False),
        ("keep_prob", 1.0),
        ("dropout", 0.0),
        ("num_layers", 1),
        ("use_bias", True),
    ],
)
def test_settings_are_those_of_the_layer_in_the_exercise(name: str, value: object) -> None:
    from driver.student.parameter_names import setting

    found = setting(name)
    assert found is not None
    assert found[0] == value
