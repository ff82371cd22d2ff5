"""What sampling and training cost on a GPU, computed from a model's shape before anything is downloaded.

Memory is counted tensor by tensor. Time is two operations a weight and token (Kaplan et al. 2020, section 2.1) at a
stated share of the GPU's peak, and for sampling a bound: the time to read all weights for each token.
"""

from typing import Any, NamedTuple

HALF, SINGLE = 2, 4  # bytes
TRAINED = 4 * SINGLE  # bytes of a weight that is trained: itself, its gradient, and two moments of Adam, in float32
SHARE = 0.3  # of the peak, reached in training: our assumption, to be replaced by what you measure
GB = 1e9


class Gpu(NamedTuple):
    """NVIDIA's data sheets: memory in GB, peak in 1e12 half-precision operations a second (dense), GB read a second."""

    memory: float
    peak: float
    bandwidth: float


GPUS = {"T4": Gpu(16, 65, 320), "L4": Gpu(24, 121, 300), "A100, 40 GB": Gpu(40, 312, 1555), "H100": Gpu(80, 989, 3350)}


class Shape(NamedTuple):
    """weights: all, tied ones once. linears: (in, out) of each that LoRA adapts. cache: keys and values a token."""

    weights: int
    linears: list[tuple[int, int]]
    cache: int
    layers: int
    width: int
    inner: int

    def adapters(self, rank: int) -> int:
        """Parameters of LoRA's two matrices at each linear layer (Hu et al. 2021, eq. 3)."""
        return sum(rank * (rows + columns) for rows, columns in self.linears)


def shape(model: Any) -> Shape:
    """The shape of a causal language model. Built on PyTorch's device "meta", the model needs no weights."""
    config, head = model.config, model.get_output_embeddings()  # LoRA does not adapt the output head
    layers = [layer for layer in model.modules() if hasattr(layer, "in_features") and layer is not head]
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        weights=sum(parameter.numel() for parameter in model.parameters()),
        linears=[(layer.in_features, layer.out_features) for layer in layers],
        cache=2 * config.num_hidden_layers * config.num_key_value_heads * size,
        layers=config.num_hidden_layers, width=config.hidden_size, inner=config.intermediate_size,
    )  # fmt: skip


def activations(model: Shape, rows: int, tokens: int, checkpointing: bool = True) -> int:
    """Bytes that a backward pass needs of the forward pass, of `rows` texts of `tokens` tokens, in half precision.

    A layer with a gated MLP keeps of each token what its linear layers and gate read (3 D before them, 4 F inside the
    MLP, about 2 D of heads), and the inputs of its norms in float32; fused attention keeps no T × T. With gradient
    checkpointing each layer keeps its input alone, and one layer at a time is computed anew.
    """
    layer = HALF * (5 * model.width + 4 * model.inner) + 2 * SINGLE * model.width
    per_token = model.layers * HALF * model.width + layer if checkpointing else model.layers * layer
    return rows * tokens * per_token


def training_gb(model: Shape, rows: int, tokens: int, rank: int = 0, checkpointing: bool = True) -> dict[str, float]:
    """GB by what they are for. rank: of LoRA, whose base is frozen in half precision; 0 trains all weights, which are
    kept in float32 with a copy in half precision to compute with."""
    trained = model.adapters(rank) if rank else model.weights
    return {
        "weights": HALF * model.weights / GB,
        "trained": TRAINED * trained / GB,
        "activations": activations(model, rows, tokens, checkpointing) / GB,
    }


def sampling_gb(model: Shape, rows: int, tokens: int) -> dict[str, float]:
    """GB by what they are for, in half precision; tokens: of prompt and solution together."""
    return {"weights": HALF * model.weights / GB, "cache": HALF * model.cache * rows * tokens / GB}


def scoring_seconds(model: Shape, tokens: float, gpu: Gpu, operations: int = 2) -> float:
    """Seconds to read so many tokens once, two `operations` a weight and token, at SHARE of the peak."""
    return operations * model.weights * tokens / (SHARE * gpu.peak * 1e12)


def training_seconds(model: Shape, tokens: float, gpu: Gpu, rank: int = 0, checkpointing: bool = True) -> float:
    """Seconds to train on so many tokens, at SHARE of the peak."""
    # two operations forward, two for the input's gradient, two if trained, two if the forward pass is computed again
    return scoring_seconds(model, tokens, gpu, 4 + (0 if rank else 2) + (2 if checkpointing else 0))


def sampling_seconds(model: Shape, rows: int, prompt: int, new: int, gpu: Gpu) -> float:
    """The least seconds for a batch of `rows` texts: each new token needs all weights and caches once."""
    cached = rows * (prompt + new / 2)  # tokens in the caches, on average over the new ones
    return new * HALF * (model.weights + model.cache * cached) / (gpu.bandwidth * GB)
