import pytest
import torch

from spectral_rank.provenance import device_in_words


@pytest.mark.parametrize("threads", [1, 2])
def test_a_gpu_is_named_only_if_it_is_computed_on(threads: int) -> None:
    words = device_in_words(threads, "cpu")
    assert words.endswith(f"{threads} thread{'s' if threads > 1 else ''} per cell")
    if not torch.cuda.is_initialized():
        assert device_in_words(threads) == words
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name("cuda:0")
        assert device_in_words(threads, "cuda:0") == f"{words}, {name}"
