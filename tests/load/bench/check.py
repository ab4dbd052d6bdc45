"""Tests of what is computed of measurements, and of the servers' command line: python3 -m unittest bench.check in tests/load."""

import contextlib
import io
import unittest

from bench import loads, rows, servers


def run(**figures):
    step = {"publishers": 50, "readers": 1, "latency_ms": None, "join_ms": None, "cpu_percent": 0.0,
            "cpu_percent_per_stream": 0.0, "cpu_percent_per_reader": 0.0, "units_lost": 0, "units_damaged": 0,
            "own": {"cpu_percent": 1.0}}
    return {"steps": [{**step, **figures}]}


class Rows(unittest.TestCase):
    def test_ratios_are_of_runs_that_followed_each_other(self):
        results = {"pairs": {"standalone": [run(cpu_percent=10), run(cpu_percent=40), run(cpu_percent=12)],
                             "mediamtx": [run(cpu_percent=20), run(cpu_percent=80), {"error": "gone"}]}}
        self.assertEqual(rows.ratio(results, "pairs", "standalone", "mediamtx", "cpu_percent"), 0.5)
        table = rows.table(results, ["pairs"], {"mediamtx": None})
        by_name = {row["what"]: row for row in table}
        self.assertEqual(by_name["standalone / mediamtx"]["verdict"], "met")
        missing = by_name["standalone / live777"]
        self.assertEqual((missing["verdict"], missing["reason"]), ("not met", "no --peer live777=PATH"))

    def test_every_row_is_there_without_any_measurement(self):
        table = rows.table({}, loads.ROWS, {})
        self.assertEqual({row["row"] for row in table}, set(loads.ROWS))
        self.assertTrue(all(row["verdict"] in ("not met", "for comparison") for row in table))
        self.assertEqual(len(rows.as_text(table).splitlines()), len(table) + 2)

    def test_what_must_be_and_what_is_aimed_at_are_told_apart(self):
        for cpu, verdict in [(0.2, "met, and the aim"), (0.4, "met"), (0.6, "not met")]:
            results = {"ingest": {"standalone": [run(cpu_percent_per_stream=cpu)]}}
            self.assertEqual(rows.table(results, ["ingest"], {})[0]["verdict"], verdict)

    def test_growth_compares_the_last_step_with_the_first(self):
        steps = {"steps": [run(cpu_percent_per_stream=0.4)["steps"][0], run(cpu_percent_per_stream=0.2)["steps"][0]]}
        self.assertEqual(rows.ends({"streams": {"standalone": [steps]}}, "streams", "cpu_percent_per_stream"), 0.5)


class CommandLine(unittest.TestCase):
    def test_a_peer_of_ones_own_needs_its_addresses(self):
        with self.assertRaisesRegex(ValueError, "--peer-whip other=URL"):
            servers.peers(["other=run {whip}"], [], [])
        found = servers.peers(["mediamtx=/x", "other=run"], ["other=http://h:{whip}/{name}"], ["other=rtsp://h:{rtsp}/{name}"])
        self.assertEqual(sorted(found), ["mediamtx", "other"])
        with self.assertRaisesRegex(ValueError, "without --peer"):
            servers.peers([], ["other=http://h"], [])

    def test_each_load_is_run_once(self):
        names = [load.name for load in loads.chosen(loads.ROWS, quick=False)]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(all("--publishers" in load.arguments for load in loads.chosen(loads.ROWS, quick=True)))

    def test_a_server_that_ends_is_named_with_its_last_words(self):
        import tempfile
        from pathlib import Path
        with tempfile.TemporaryDirectory() as scratch:
            processes = servers.Processes(Path(scratch))
            with contextlib.closing(io.StringIO()):
                processes.start("peer", ["sh", "-c", "echo no such option; exit 1"])
            try:
                with self.assertRaisesRegex(servers.NotStarted, "(?s)peer.*no such option"):
                    processes.wait("peer", lambda: False)
            finally:
                processes.end()


if __name__ == "__main__":
    unittest.main()
