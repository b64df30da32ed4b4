"""An array in parts on the engines: work on it where it lies, and put it together again."""

import numpy as np

import paraply as ipp


def normalise():
    """Works on the part that this engine has, with the mean that it was given."""
    global part
    part = part - mean  # noqa: F821  both are names of the engine
    return float(np.square(part).sum())


def main():
    whole = np.random.default_rng(1).normal(3.0, 2.0, size=1_000_000)
    with ipp.Cluster(n=4) as rc:
        view = rc[:]
        view.execute("import numpy as np", block=True)

        view.scatter("part", whole, block=True)
        print("parts of", view.apply_sync(lambda: part.shape))

        means = view.apply_sync(lambda: (part.sum(), part.size))
        mean = sum(total for total, _ in means) / sum(size for _, size in means)
        view["mean"] = mean
        squares = view.apply_sync(normalise)
        deviation = (sum(squares) / whole.size) ** 0.5
        print(f"mean {mean:.4f}, standard deviation {deviation:.4f}")
        assert np.isclose(mean, whole.mean())
        assert np.isclose(deviation, whole.std())

        together = view.gather("part", block=True)
        assert np.allclose(together, whole - mean)
        print("gathered", together.shape, "with mean", f"{abs(together.mean()):.1e}")


if __name__ == "__main__":
    main()
