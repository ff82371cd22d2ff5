import pytest

from minrm.cli import __main__ as cli
from minrm.cli.server import sample_from
from minrm.world import generate

QUESTIONS = [problem.question for problem in generate(5, seed=1)]


@pytest.fixture
def run(capsys):
    """run(*arguments, code=0): what the command line prints, after a check of its exit code."""

    def call(*arguments, code=0):
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert end.value.code == code, said
        return said

    return call


@pytest.fixture
def draw(tmp_path):
    """draw(fake, n=5, **options): the rows of five questions, or of `questions`, in s.jsonl, which stays."""

    def run(fake, n=5, model="m", questions=QUESTIONS, **options):
        options = {"batch_size": 2, "progress": False, "retries": 3, "path": tmp_path / "s.jsonl"} | options
        return sample_from(fake if isinstance(fake, str) else fake.url, model, questions, n, **options)

    return run
