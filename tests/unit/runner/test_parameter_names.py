"""Meanings of the names of constructors' parameters: whole words, abbreviations, affixes, any case, Russian."""

import pytest

NAMES = {
    "units": """
        units n_unit numUnits nunits number_of_units u H_SIZE hsize hs h_dim nh hid hidden_len hiddenSize HiddenSize
        hidden_state_size hidden_layer_size n_neurons num_nodes num_cells cell_units state_dim rnn_size lstm_units
        latent_dim memory_size out output_len n_out capacity d_h n_neironov razmer_sostoyaniya skrytyh число_нейронов
    """,
    "features": """
        features num_feats in_features n_in d_in inputs input_len input_units EMB_SIZE e_size E embedding_dim
        vocab_size word_dim token_size x_dim nx input_shape vhod razmer_x размер_входа размер_эмбеддинга
    """,
    "timesteps": """
        timesteps n_steps SEQ_LEN sequence_length max_len maxlen t_max T length shagov dlina длина_последовательности
    """,
    "batch": "batch BATCH_SIZE bs n_batch B",
    "measure": "n M k size d_model razmer kol_vo width layer_size vector_size размер число",
    "setting": """
        act recurrent_activation dropout_rate keep_prob use_bias return_sequences stateful go_backwards n_layers
        bidirectional batch_first name dtype seed kernel_initializer kernel_regularizer forget_bias training sigma lr
    """,
    "nothing": "qq tokenizer then hex units_flag lstm_cell config",
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
        ("gate_activation", "sigmoid"),
        ("return_sequences", True),
        ("keep_prob", 1.0),
        ("num_layers", 1),
    ],
)
def test_settings_are_those_of_the_layer_in_the_exercise(name: str, value: object) -> None:
    from driver.student.parameter_names import setting

    default = setting(name)
    assert default is not None
    assert default[0] == value
