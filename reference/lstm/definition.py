"""The definition of the LSTM: six formulas, from which its answers, gradients, worked steps and known mistakes follow.

Source: Gers, Schmidhuber and Cummins, "Learning to Forget" (2000); keras.layers.LSTMCell.call for the order of gates.
"""

from reference.cell import Cell

CELL = Cell.of("""
i = sigmoid(x_i + h_i)
f = sigmoid(x_f + h_f)
g = tanh(x_g + h_g)
o = sigmoid(x_o + h_o)
c_new = f*c + i*g
h_new = o*tanh(c_new)
""")
