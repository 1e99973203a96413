# SPDX-License-Identifier: Apache-2.0
"""What was measured, in files: one JSON for each workload, so that a measurement can be made in slices and merged."""
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Metric:
    """A column of a workload's table; to: servers whose value in the same round it is divided by."""
    name: str
    heading: str
    to: tuple = ()
    each: bool = True  # False: one value for all rounds is enough, no range


@dataclass
class Sample:
    """One server under one load, once."""
    point: str
    server: str
    round: int
    metrics: dict
    void: list = field(default_factory=list)     # metrics that do not count: the server postponed the work
    trouble: list = field(default_factory=list)  # what went wrong, in words; must be none


@dataclass
class Series:
    """All samples of one workload."""
    workload: str
    conditions: str = ""
    samples: list = field(default_factory=list)

    def points(self):
        return list(dict.fromkeys(s.point for s in self.samples))

    def of(self, point, server):
        """{round: sample}"""
        return {s.round: s for s in self.samples if s.point == point and s.server == server}

    def servers(self, point):
        return list(dict.fromkeys(s.server for s in self.samples if s.point == point))


def forget(directory, workload):
    (directory / f"{workload}.json").unlink(missing_ok=True)


def save(directory, series):
    """With what earlier slices of the same measurement left."""
    directory.mkdir(parents=True, exist_ok=True)
    earlier = load(directory, series.workload)
    if earlier:
        series = Series(series.workload, earlier.conditions, earlier.samples + series.samples)
    (directory / f"{series.workload}.json").write_text(json.dumps(asdict(series), indent=1) + "\n")


def load(directory, workload):
    path = directory / f"{workload}.json"
    if not path.exists():
        return None
    raw = json.loads(path.read_text())
    raw["samples"] = [Sample(**s) for s in raw["samples"]]
    return Series(**raw)
