"""The page of faults against the markers that it is made from."""

from tests import faults


def test_the_page_is_that_of_the_markers():
    page = (faults.ROOT / "tests/FAULTS.md").read_text(encoding="utf-8")

    assert page == faults.page(), "run python -m tests.faults > tests/FAULTS.md"
    assert page.count("\n| ") > 100


def test_a_fault_has_all_its_tests_in_one_row(tmp_path):
    folder = tmp_path / "tests/some"
    folder.mkdir(parents=True)
    for name in "ab":
        text = f'@pytest.mark.fault("too much")\n@other\ndef test_{name}(): ...\n\n\ndef test_other(): ...\n'
        (folder / f"test_{name}.py").write_text(text, encoding="utf-8")

    assert faults.page(tmp_path).splitlines()[-3:] == [
        "| Fault | Tests |",
        "| --- | --- |",
        "| too much | `test_a.py::test_a`, `test_b.py::test_b` |",
    ]
