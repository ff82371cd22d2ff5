"""What `make lint` refuses in prose: each turn of phrase, wherever a reader would meet it, and nothing else."""

import check_english
import notebooks
import pytest

PLANTED = {
    "whoever": "Whoever trains it should look.",
    "somebody who": "It is for somebody\nwho has no GPU.",
    "nobody who": "Nobody who reads this is wrong.",
    "of which more": "A score, of which more below.",
    "is told of": "What is told of it is true.",
    "wanted is": "What is wanted is a score.",
    "an own": "It has an own folder.",
    "hold zero": "Both intervals hold zero.",
    "holds zero": "The interval holds zero.",
}
PLAIN = "Somebody wrote this. An owner holds zeros; the interval contains zero. The ways are your own, and an owl's.\n"


@pytest.mark.parametrize("phrase", PLANTED)
def test_each_phrase_is_found_with_its_line(tmp_path, phrase):
    (tmp_path / "README.md").write_text(f"{PLAIN}\n{PLANTED[phrase]}\n")
    (finding,) = check_english.findings(tmp_path)
    assert finding.lower().startswith(f"readme.md, line 3: '{phrase}' in … ")


@pytest.mark.parametrize("name", ["book/intro.md", "book/api/core.md", "data/README.md", "minrm/metrics/auc.py"])
def test_pages_docstrings_and_messages_are_read(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(PLANTED["an own"])
    assert len(list(check_english.findings(tmp_path))) == 1


@pytest.mark.parametrize("kind", ["markdown", "code"])
def test_the_cell_of_a_chapter_is_named(tmp_path, kind):
    cell = {"cell_type": kind, "id": "ch1-07", "metadata": {}, "source": f"A claim.\n{PLANTED['an own']}"}
    (tmp_path / "book").mkdir()
    notebooks.write(tmp_path / "book" / "01_chain_of_thought.ipynb", {"cells": [cell]})
    (finding,) = check_english.findings(tmp_path)
    assert finding.startswith("book/01_chain_of_thought.ipynb, cell ch1-07, line 2: 'an own' in ")


def test_this_project_has_none():
    assert list(check_english.findings(check_english.ROOT)) == []
