"""The parts of tests/load/compare: loads, servers, and the rows of the table."""
