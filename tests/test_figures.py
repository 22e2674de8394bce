"""The page of benchmarks: what ran is written anew, what did not stays."""

from __future__ import annotations

from figures import Section, merged


def test_a_section_replaces_its_own_and_leaves_the_others() -> None:
    first = Section("Reading.", "0.1", ratios=[("headers", 0.05, 0.1, "pydicom")])
    other = Section("Kills.", "0.2", tables=[("files", ["## not a heading?", "500 killed"])])
    page = merged("", {"test_b": first.words("then"), "test_a": other.words("then")})
    assert page.index("## test_a") < page.index("## test_b")
    assert "| headers | 50 ms | pydicom, 100 ms | 0.50 |" in page
    again = merged(page, {"test_b": Section("Reading.", "0.3", ratios=[("headers", 2.0, 1.0, "x")]).words("now")})
    assert again.partition("## test_b")[0] == page.partition("## test_b")[0]
    assert "| headers | 2.00 s | x, 1.00 s | 2.00 |" in again
    assert "50 ms" not in again
    assert merged(again, {}) == again
