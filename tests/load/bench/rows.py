"""Medians, ratios and the rows of the table: what must be, what is aimed at, what was measured. Nothing here is measured."""

import statistics

from .loads import DISTRIBUTED, LIVE777, MEDIAMTX, WEFT

# Noise of one machine: what stays the same may differ by so much.
SAME = 1.05
# Bytes of the 2 s that an owner keeps of a stream of 2 Mbit/s, in KiB.
GOP_KIB = 2_000_000 * 2 / 8 / 1024
# A process that holds so much more after the measured time is not flat, as a share of what it held.
FLAT = 0.02


def steps(results, load, system):
    """The steps of all good runs: a list for each."""
    runs = results.get(load, {}).get(system, [])
    return [run["steps"] for run in runs if "error" not in run]


def value(step, path):
    for name in path.split("."):
        step = step.get(name) if step is not None else None
    return step


def median(results, load, system, path, place=0):
    """The median over the repeats; None for none."""
    values = [value(run[place], path) for run in steps(results, load, system)]
    values = [number for number in values if number is not None]
    return statistics.median(values) if values else None


def ratio(results, load, system, peer, path):
    """The median of the ratios of runs that followed each other, so that a busy hour of the machine counts on both sides."""
    both = zip(results.get(load, {}).get(system, []), results.get(load, {}).get(peer, []))
    ratios = []
    for ours, theirs in both:
        if "error" in ours or "error" in theirs:
            continue
        ours, theirs = value(ours["steps"][0], path), value(theirs["steps"][0], path)
        if ours is not None and theirs:
            ratios.append(ours / theirs)
    return statistics.median(ratios) if ratios else None


def brief(result):
    """One line about a run."""
    if "error" in result:
        return result["error"]
    parts = []
    for step in result["steps"]:
        latency = step["latency_ms"]
        parts.append(
            f"{step['publishers']}x{step['readers']} cpu {step['cpu_percent']:.1f} % "
            f"({step['cpu_percent_per_stream']:.3f}/stream), own {step['own']['cpu_percent']:.1f} %, "
            + (f"latency {latency['p50']:.2f}/{latency['p99']:.2f} ms, " if latency else "")
            + (f"join {step['join_ms']['p50']:.0f}/{step['join_ms']['p95']:.0f} ms, " if step["join_ms"] else "")
            + f"lost {step['units_lost']}+{step['units_damaged']}, dropped {step['publishers_dropped']}+{step['readers_dropped']}")
    return "; ".join(parts)


def lines(results):
    """What each row is judged by: row, what, least that must be, aim, unit, measured, reason where there is nothing."""
    cpu, per_stream, per_reader = "cpu_percent", "cpu_percent_per_stream", "cpu_percent_per_reader"
    out = []

    def line(row, what, must, aim, unit, measured, needs=None):
        out.append((row, what, must, aim, unit, measured, needs))

    line("ingest", "standalone, each stream", 0.5, 0.25, "% of a core", median(results, "ingest", WEFT, per_stream))
    for peer in (MEDIAMTX, LIVE777):
        line("ingest", f"{peer}, each stream", None, None, "% of a core", median(results, "ingest", peer, per_stream), peer)
    line("pairs", "standalone, each pair", None, None, "% of a core", median(results, "pairs", WEFT, per_stream))
    line("pairs", "standalone / mediamtx", 0.7, 0.4, "x CPU", ratio(results, "pairs", WEFT, MEDIAMTX, cpu), MEDIAMTX)
    line("pairs", "standalone / live777", 0.6, 0.4, "x CPU", ratio(results, "pairs", WEFT, LIVE777, cpu), LIVE777)
    line("distributed", "all processes, each pair", None, None, "% of a core", median(results, "pairs", DISTRIBUTED, per_stream))
    line("distributed", "all processes / mediamtx", 1.2, 0.8, "x CPU", ratio(results, "pairs", DISTRIBUTED, MEDIAMTX, cpu), MEDIAMTX)
    line("fanout", "standalone, each reader", 0.08, 0.04, "% of a core", median(results, "fanout", WEFT, per_reader))
    line("fanout", "standalone / mediamtx", 0.5, None, "x CPU", ratio(results, "fanout", WEFT, MEDIAMTX, cpu), MEDIAMTX)
    line("fanout", "live777, each reader", None, None, "% of a core", median(results, "fanout", LIVE777, per_reader), LIVE777)
    for system, p50, p99 in ((WEFT, 2, 8), (DISTRIBUTED, 3, 12)):
        line("latency", f"{system} p50", p50, None, "ms", median(results, "latency", system, "latency_ms.p50"))
        line("latency", f"{system} p99", p99, 4, "ms", median(results, "latency", system, "latency_ms.p99"))
        for quantile in ("p50", "p99"):
            measured = ratio(results, "latency", system, MEDIAMTX, f"latency_ms.{quantile}")
            line("latency", f"{system} / mediamtx {quantile}", 1, None, "x", measured, MEDIAMTX)
    line("joins", "standalone median", 100, 50, "ms", median(results, "joins", WEFT, "join_ms.p50"))
    line("joins", "standalone p95", 300, None, "ms", median(results, "joins", WEFT, "join_ms.p95"))
    line("joins", "distributed median", 100, 50, "ms", median(results, "joins", DISTRIBUTED, "join_ms.p50"))
    line("joins", "distributed p95", 300, None, "ms", median(results, "joins", DISTRIBUTED, "join_ms.p95"))
    for peer in (MEDIAMTX, LIVE777):
        line("joins", f"{peer} median", None, None, "ms", median(results, "joins", peer, "join_ms.p50"), peer)
    line("memory", "each publisher with its GOP", 400 + GOP_KIB, 200 + GOP_KIB, "KiB",
         median(results, "publishers", WEFT, "rss_kib_per_publisher"))
    line("memory", "each reader", 100, 50, "KiB", median(results, "readers", WEFT, "rss_kib_per_reader"))
    line("memory", "growth over the long run", FLAT, FLAT / 2, "of what it held", growth(results))
    line("growth", "CPU of each stream, most / fewest streams", SAME, 1, "x", ends(results, "streams", per_stream))
    line("growth", "CPU of each reader, most / fewest readers", SAME, 1, "x", ends(results, "audience", per_reader))
    line("growth", "pictures lost with most readers", 0, 0, "", median(results, "audience", WEFT, "units_lost", -1))
    line("allocations", "each access unit", 6, 3, "", None)
    return out


def growth(results):
    runs = steps(results, "long", WEFT)
    if not runs:
        return None
    # The line through all samples; the first and the last alone would tell of the moment.
    cost = runs[0][0]["processes"][0]
    return cost["rss_kib_per_minute"] * runs[0][0]["seconds"] / 60 / cost["rss_kib"][2]


def ends(results, load, path):
    first, last = (median(results, load, WEFT, path, place) for place in (0, -1))
    return last / first if first and last is not None else None


def table(results, wanted, peers):
    """The rows that were asked for, as dictionaries."""
    judged = []
    for row, what, must, aim, unit, measured, needs in lines(results):
        if row not in wanted:
            continue
        if measured is not None:
            reason = ""
        elif row == "allocations":
            reason = "counted by the benches, not here"
        elif needs and needs not in peers:
            reason = f"no --peer {needs}=PATH"
        else:
            reason = "no run came to its end"
        if must is None:
            verdict = "for comparison"
        elif measured is None or measured > must:
            verdict = "not met"
        else:
            verdict = "met" if aim is None or measured > aim else "met, and the aim"
        judged.append({"row": row, "what": what, "must": must, "aim": aim, "unit": unit, "measured": measured,
                       "verdict": verdict, "reason": reason})
    return judged


def figure(number):
    return "-" if number is None else f"{number:.3g}" if abs(number) < 100 else f"{number:.0f}"


def as_text(judged):
    """The table in the form of docs/performance.md."""
    text = ["| what | | must | aim | measured | |", "|---|---|---|---|---|---|"]
    for row in judged:
        bound = ["" if row[key] is None else f"≤ {figure(row[key])}" for key in ("must", "aim")]
        verdict = f"{row['verdict']}: {row['reason']}" if row["reason"] else row["verdict"]
        text.append(f"| {row['row']} | {row['what']} | {bound[0]} | {bound[1]} | {figure(row['measured'])} {row['unit']} | {verdict} |")
    return "\n".join(text)


def medians(results):
    """Every load with every system, as medians over the repeats."""
    names = [("cpu_percent", "CPU %"), ("cpu_percent_per_stream", "each stream"), ("cpu_percent_per_reader", "each reader"),
             ("latency_ms.p50", "p50 ms"), ("latency_ms.p99", "p99 ms"), ("join_ms.p50", "join p50"), ("join_ms.p95", "join p95"),
             ("units_lost", "lost"), ("units_damaged", "damaged"), ("own.cpu_percent", "weft-load %")]
    text = ["| load | streams x readers | server | " + " | ".join(title for _, title in names) + " |",
            "|---|---|---|" + "---|" * len(names)]
    for load, systems in results.items():
        for system in systems:
            runs = steps(results, load, system)
            for place, step in enumerate(runs[0] if runs else []):
                values = [figure(median(results, load, system, path, place)) for path, _ in names]
                shape = f"{step['publishers']} x {step['readers']}"
                text.append(f"| {load} | {shape} | {system} | " + " | ".join(values) + " |")
            if not runs:
                text.append(f"| {load} | | {system} | no run came to its end |")
    return "\n".join(text)
