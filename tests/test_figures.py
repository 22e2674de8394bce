"""The page of benchmarks: what ran is written anew, what did not stays."""

from __future__ import annotations

from figures import Section, merged


def measured(ours_s: float, when: str) -> Section:
    section = Section("Reading files.")
    section.add_ratio("headers", (ours_s, 0.1), "pydicom", when)
    return section


def test_what_is_measured_again_replaces_itself_and_leaves_the_rest() -> None:
    first, kills = measured(0.05, "then"), Section("Kills.")
    first.add_table("peak", ["| like a row |", "## test_like a heading"], "then")
    kills.add_table("files", ["500 killed"], "then")
    page = merged("", {"test_b": first, "test_a": kills})
    assert page.index("## test_a") < page.index("## test_b")
    assert "| headers | 50 ms | pydicom, 100 ms | 0.50 | then |" in page
    assert merged(page, {}) == page

    again = merged(page, {"test_b": measured(2.0, "now")})
    assert "| headers | 2.00 s | pydicom, 100 ms | 20.00 | now |" in again
    assert again.replace("2.00 s", "50 ms").replace("20.00 | now", "0.50 | then") == page
