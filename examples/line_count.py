"""Counts the lines of files, each on whichever engine is free.

Usage: line_count.py [FILE...], without files those of the Python that runs this.
"""

import sys
import sysconfig
from pathlib import Path

import paraply as ipp


def count_lines(path):
    """Lines of a file, which the engine reads itself."""
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def main():
    library = Path(sysconfig.get_path("stdlib"))
    paths = [str(Path(path).resolve()) for path in sys.argv[1:]] or sorted(map(str, library.glob("*.py")))
    with ipp.Cluster(n=4) as rc:
        counts = rc.load_balanced_view().map_async(count_lines, paths)
        longest = sorted(zip(counts, paths, strict=True), reverse=True)[:5]
        for lines, path in longest:
            print(f"{lines:8,}  {path}")
        print(f"{sum(counts):8,}  lines in {len(paths)} files, counted by engines {sorted(set(counts.engine_id))}")


if __name__ == "__main__":
    main()
