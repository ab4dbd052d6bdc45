"""The loads that are run, each with the systems that are compared under it. What must come out is rows.py's business."""

from dataclasses import dataclass

WEFT, DISTRIBUTED, MEDIAMTX, LIVE777 = "standalone", "distributed", "mediamtx", "live777"
ROWS = ["ingest", "pairs", "distributed", "fanout", "latency", "joins", "memory", "growth", "allocations"]


@dataclass(frozen=True)
class Load:
    """Arguments of weft-load, and who is measured with them."""

    name: str
    arguments: tuple
    systems: tuple
    # Of each system, if not as often as asked for.
    repeats: int = 0

    @property
    def reads(self):
        return "--readers" in self.arguments


def chosen(wanted, quick):
    """The loads that these rows need, in order."""
    def load(name, systems, *arguments, seconds=20, repeats=0):
        words = [*arguments, "--duration", str(4 if quick else seconds)]
        if quick:
            words += ["--ramp", "1", "--settle", "1"]
        return Load(name, tuple(words), systems, repeats)

    # A quick run shows that everything works: fewer streams and readers do as well.
    def few(many, quickly):
        return str(quickly if quick else many)

    everyone = (WEFT, DISTRIBUTED, MEDIAMTX, LIVE777)
    table = {
        "ingest": [load("ingest", (WEFT, MEDIAMTX, LIVE777), "--publishers", few(30, 4))],
        "pairs": [load("pairs", everyone, "--publishers", few(50, 4), "--readers", "1")],
        "fanout": [load("fanout", (WEFT, MEDIAMTX, LIVE777), "--publishers", "1", "--readers", few(400, 20))],
        "latency": [load("latency", (WEFT, DISTRIBUTED, MEDIAMTX), "--publishers", few(20, 4), "--readers", "1", seconds=30)],
        "joins": [load("joins", everyone, "--publishers", "1", "--readers", "1", "--joins", few(100, 5), seconds=40)],
        "memory": [
            load("publishers", (WEFT, MEDIAMTX), "--publishers", few(50, 4), seconds=5),
            load("readers", (WEFT, MEDIAMTX), "--publishers", "1", "--readers", few(400, 20), seconds=5),
            load("long", (WEFT,), "--publishers", few(10, 2), "--readers", "2", seconds=1800, repeats=1),
        ],
        "growth": [
            load("streams", (WEFT,), "--publishers", few("10,30,100", "2,4"), seconds=15),
            load("audience", (WEFT,), "--publishers", "1", "--readers", few("1,100,400,800,1000", "1,10"), seconds=15),
        ],
    }
    table["distributed"] = table["pairs"]
    loads = []
    for row in wanted:
        loads += [load for load in table.get(row, []) if load not in loads]
    return loads
