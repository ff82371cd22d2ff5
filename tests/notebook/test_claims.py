from minrm.notebook.claims import claim


def test_a_claim_that_holds_prints_one_line_everywhere_and_one_that_does_not_shows_the_numbers(capsys):
    claim("The vote is ahead.", True, "0.7 against 0.6")
    assert capsys.readouterr().out == "✓ The vote is ahead.\n"
    claim("The vote is ahead.", False, "0.5 against 0.6")
    assert (
        "✗ Here it came out differently: The vote is ahead. Measured here: 0.5 against 0.6." in capsys.readouterr().out
    )
