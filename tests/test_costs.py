"""What a trained row cost, as boards print it."""

from mgbench.costs import HEADS, cost_texts


def test_speed_is_of_all_clips_in_all_seconds() -> None:
    """Work is told in millions, and speed is the mean number of clips in the mean time."""
    means = {"backbone_parameters": 1000.0, "forward_flops": 2e6, "clips_processed": 200.0, "train_seconds": 2.0, "peak_memory_mb": 500.0}

    assert dict(zip(HEADS, cost_texts(means), strict=True)) == {
        "parameters of the encoder": "1,000",
        "MFLOPs a clip": "2",
        "clips a second": "100.0",
        "seconds": "2",
        "peak memory, MB": "500",
    }


def test_what_is_not_told_is_empty() -> None:
    """Records of before a column was there, counts that were not possible, and no time at all show nothing."""
    assert cost_texts({"backbone_parameters": 1000.0, "forward_flops": None, "clips_processed": 100.0, "train_seconds": 0.0}) == (
        "1,000",
        "",
        "",
        "0",
        "",
    )
