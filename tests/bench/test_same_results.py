"""Both ways of each work give the same results, at tiny sizes; how long they take is no matter of a test."""

import json

import performance
import pytest
from bench import growth, imports, measuring, run
from bench.measuring import NotInstalled, Work, alternate, peak_gb


@pytest.mark.parametrize("name", [name for name in run.WORKS if name not in ("P8", "P10")])
def test_both_ways_give_the_same_result(name):
    try:
        work = run.function(name)("tiny")
    except NotInstalled as error:
        pytest.skip(str(error))
    work.close({way: call() for way, call in work.ways.items()})
    assert next(iter(work.ways)) == "minrm" and set(work.about) == set(work.ways) - {"minrm"}


def test_results_that_differ_are_noticed_before_any_time_is_taken():
    work = run.function("P6")("tiny")
    truth = work.ways["usual"]
    work.ways["usual"] = lambda: truth() + 0.1
    with pytest.raises(AssertionError):
        alternate(work, 1)


@pytest.mark.parametrize("task", growth.SIZES["tiny"])
def test_each_job_of_growth_does_its_rows(task, tmp_path):
    result = growth.job(task, 8, str(tmp_path))()
    assert {"score": lambda: len(result), "prepare": lambda: result, "evaluate": lambda: 8}[task]() == 8
    assert growth.slope([10, 100, 1000], [0.2, 2, 20]) == pytest.approx(1)


def test_a_way_that_does_a_part_counts_as_the_whole(monkeypatch):
    monkeypatch.setattr(measuring, "seconds", lambda call: call())
    work = Work("w", {"usual": "u"}, {"minrm": lambda: 2.0, "usual": lambda: 1.0}, lambda results: None, {"usual": 0.1})
    result = alternate(work, 3)
    assert result["minrm"] == {"seconds": 2.0}
    assert result["usual"] == {"seconds": 10.0, "ratio": {"median": 5.0, "min": 5.0, "max": 5.0}}


def test_the_peak_is_what_a_call_takes_at_most():
    def call():
        large = bytearray(80_000_000)
        large[::4096] = b"1" * len(large[::4096])
        return len(large)

    assert 0.07 < peak_gb(call) < 0.12


def test_help_and_light_imports_load_no_torch():
    calls = imports.p10("tiny")["calls"]
    assert calls.keys() == imports.CALLS.keys()
    assert not any(values["loads torch"] for values in calls.values())


def test_a_work_measured_again_leaves_the_others_and_the_page_shows_all(tmp_path):
    path = tmp_path / "results.json"
    ratio = {"median": 2.5, "min": 2.0, "max": 3.0}
    ways = {"minrm": {"seconds": 2, "peak_gb": 0.1}}
    ways["usual"] = {"seconds": 5, "ratio": ratio, "peak_gb": 0.4, "how": "slowly", "part": 0.25}
    points = [{"rows": rows, "seconds": rows / 100, "peak_gb": 0.1} for rows in (100, 1000)]
    series = {task: {"points": points, "slope": 1.0} for task in growth.SIZES["tiny"]}
    run.store("P8", {"what": "growth", "series": series}, path)
    run.store("P2", {"what": "some work", "ways": ways}, path)
    run.store("P10", {"what": "imports", "calls": {"a": {"seconds": ratio, "loads torch": False}}}, path)
    results = json.loads(path.read_text())
    assert list(results) == ["P2", "P8", "P10"] and all(result["date"] for result in results.values())
    page = performance.page(results)
    for part in ("some work; usual: slowly (25.00% of it, scaled up)", "**2.5×** (2 to 3)", "0.10 GB, usual 0.40"):
        assert part in page
    assert "Slopes of time: score 1.00, prepare 1.00, evaluate 1.00." in page and "- P2, P8, P10: on " in page
    assert "make bench" in performance.page({})
