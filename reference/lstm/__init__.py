"""All that is about the LSTM, and not about recurrent layers in general. Another exercise would have such a folder.

``definition``      the six formulas: answers, gradients, worked steps and mistakes follow from them
``weights``         the order of gates, the fused arrays of Keras, the exercise's layers and their letters
``oracle``          its answers and gradients in float64
``keras_layer``     Keras' own answers
``probes``          questions that ask for one part at a time
``misconceptions``  the known mistakes, with the formulas that they are named by

The rest runs in the box, or is text: the words for its gates in students' code (`grader/runner/gate_words.py`), its
parts in the syntax tree (`grader/runner/reader/parts/`), its weights in a student's model
(`grader/runner/driver/weights/`), the messages (`grader/locale/`), and the notebooks that students begin with
(`grader/handouts/`). `tests/lint/test_one_cell.py` lists the files that name it or write its formulas, and says which
messages are about it.
"""
