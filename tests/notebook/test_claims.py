from minrm.notebook.claims import claim


def test_a_claim_that_holds_prints_the_same_line_whatever_was_found(capsys):
    claim("The vote is ahead.", True, "0.7 against 0.6")
    claim("The vote is ahead.", True, "0.8 against 0.6")
    assert capsys.readouterr().out == "✓ The vote is ahead.\n" * 2


def test_a_claim_that_does_not_hold_says_what_was_found_and_does_not_stop_the_learner(capsys):
    claim("The vote is ahead.", False, "0.5 against 0.6")
    said = capsys.readouterr().out
    assert said.startswith("✗") and "0.5 against 0.6" in said and "The vote is ahead." in said
