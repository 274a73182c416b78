import numpy as np
import tensorflow as tf

BATCH_SIZE = 2
SEQ_LEN = 100 # Длина последовательности
EMB_SIZE = 16 # Размер векторного представления (эмбеддинга)
H_SIZE = 32

x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
from my_layers import LSTM
m = LSTM(H_SIZE)
print(m(x).shape)
