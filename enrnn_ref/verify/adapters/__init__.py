"""Other libraries' modules and functions, checked as they are (docs/adapters.md); each is loaded when asked for."""

from enrnn_ref.verify.adapters.jax_functions import jax as jax
from enrnn_ref.verify.adapters.keras_layers import keras as keras
from enrnn_ref.verify.adapters.onnx_models import onnx as onnx
from enrnn_ref.verify.adapters.orthogonal import TorchOrthogonal as TorchOrthogonal
from enrnn_ref.verify.adapters.orthogonal import orthogonal as orthogonal
from enrnn_ref.verify.adapters.pytorch import torch as torch
