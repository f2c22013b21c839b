"""Made-up pictures: the statistics of the benchmark's networks come from them, and every runtime is timed on one."""

import numpy as np


def pictures(count, size, seed):
    """`count` pictures [count, 3, size, size], float32, about zero mean and unit variance: noise with the falling spectrum
    of photographs, colour planes correlated."""
    draw = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    fall = 1 / np.maximum(frequency, 1 / size)
    planes = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((count, 3, size, size))) * fall, s=(size, size))
    mix = np.array([[1, 0.3, 0.1], [1, -0.1, -0.3], [1, -0.3, 0.3]])
    mixed = np.einsum("ij,njhw->nihw", mix, planes)
    mixed -= mixed.mean(axis=(2, 3), keepdims=True)
    return np.clip(mixed / mixed.std(axis=(2, 3), keepdims=True), -2.5, 2.5).astype(np.float32)


def picture_input(shape, dtype):
    """A picture as the input of a network, planes or pixels first as `shape` has them: float32 as it is, bytes over their
    whole range."""
    shape, dtype = tuple(int(extent) for extent in shape), np.dtype(dtype)
    picture = pictures(1, max(shape[1:]), seed=11)    # another one than the statistics come from
    if shape[1] != 3:
        picture = picture.transpose(0, 2, 3, 1)
    if picture.shape != shape:
        raise ValueError(f"no picture of shape {shape}")
    if dtype.kind == "f":
        return np.ascontiguousarray(picture, dtype)
    limits = np.iinfo(dtype)
    return np.ascontiguousarray(np.rint((picture / 5 + 0.5) * 255 + limits.min), dtype)
