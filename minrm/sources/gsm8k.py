"""GSM8K (Cobbe et al. 2021): its problems with worked answers, and the solutions of four models."""

from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source, collect, get, texts, without_annotations
from minrm.text import final_answer

SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def gsm8k(path: Source = "openai/gsm8k", split: str = "train", worked: bool = False, streaming: bool = False) -> Rows:
    """GSM8K (Cobbe et al. 2021): grade-school word problems -> problems {question, answer}, the answer as "18".

    worked: adds the published worked answers, as right solutions (outcome schema) without the calculator's marks
    `<<48/2=24>>`. split: of the hub's data; a file is taken whole.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        question, solution = texts(record, where, "question", "answer")
        answer = final_answer(solution)
        if answer is None:
            raise InputError(f"{where}: the worked answer has no line '#### …' with the final answer; is this GSM8K?")
        if not worked:
            return [{"question": question, "answer": answer}]
        solution = without_annotations(solution)
        return [{"question": question, "solution": solution, "answer": answer, "correct": True}]

    return collect("GSM8K", "outcome" if worked else "problem", convert, path, streaming, name="main", split=split)


def gsm8k_solutions(path: Source, streaming: bool = False) -> Rows:
    """The GSM8K test questions as four language models solved them (Cobbe et al. 2021) -> outcome rows.

    One row a question and model, with the model's name in `model`: 6B and 175B parameters, fine-tuned, or chosen by a
    verifier. `answer` is the problem's, `correct` the publisher's judgement.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        question, truth = texts(record, where, "question", "ground_truth")
        answer = final_answer(truth)
        if answer is None:
            raise InputError(f"{where}: ground_truth has no line 'A: …' with the final answer; is this the file?")
        rows = []
        for model in SOLVERS:
            at, solved = f"{where}, {model}", get(record, model, dict, where)
            solution, correct = get(solved, "solution", str, at), get(solved, "is_correct", bool, at)
            row = {"question": question, "solution": without_annotations(solution), "answer": answer}
            rows.append(row | {"correct": correct, "model": model})
        return rows

    return collect("GSM8K model solutions", "outcome", convert, path, streaming)
