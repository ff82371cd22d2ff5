"""Public data sets, one function each, named after it: a local file or a hub name -> rows of a schema.

    function          schema            hub name                                file there, or on GitHub
    gsm8k             problem, outcome  openai/gsm8k (configuration main)       train.jsonl, test.jsonl
    gsm8k_solutions   outcome           none                                    example_model_solutions.jsonl
    rlhflow_outcomes  outcome           RLHFlow/Mistral-ORM-Data                data/train-00000-of-00001.parquet
                                        RLHFlow/Deepseek-ORM-Data               data/train-00000-of-00001.parquet
    rlhflow           process           RLHFlow/Mistral-PRM-Data                data/train-….parquet
                                        RLHFlow/Deepseek-PRM-Data               deepseek_instruct_data.jsonl
    math_shepherd     process           peiyi9979/Math-Shepherd                 math-shepherd.jsonl
    prm800k           process           none                                    phase1_train.jsonl, … (by Git LFS)
    processbench      process           Qwen/ProcessBench (split gsm8k, …)      gsm8k.json, math.json, …
    rewardbench2      outcome           allenai/reward-bench-2                  data/test-00000-of-00001.parquet
    trl_stepwise      process           trl-lib/math_shepherd, trl-lib/prm800k  data/train-….parquet, test-…
    trl_preference    pair              trl-lib/ultrafeedback_binarized, and    data/train-….parquet, …
                                        HuggingFaceH4/ultrafeedback_binarized
                                        (split train_prefs)
    hh_rlhf           pair              Anthropic/hh-rlhf (data_dir)            train.jsonl.gz, test.jsonl.gz

On GitHub: openai/grade-school-math, openai/prm800k, anthropics/hh-rlhf. Every row is used, or dropped and counted with
its cause: the counts are logged and stand in the data set's `info.description`. Of process data, rows are dropped if a
step has no text, or holds a line like a step's header. streaming=True gives an iterator over the rows in place of a
`datasets.Dataset`, for sets larger than memory: nothing is kept, and of the hub's data only what is read is fetched.
All functions raise InputError for a file or row that cannot be used.
"""

from minrm.sources.benchmarks import processbench, rewardbench2
from minrm.sources.gsm8k import gsm8k, gsm8k_solutions
from minrm.sources.hh_rlhf import hh_rlhf
from minrm.sources.math_shepherd import math_shepherd
from minrm.sources.prm800k import prm800k
from minrm.sources.rlhflow import rlhflow, rlhflow_outcomes
from minrm.sources.trl import trl_preference, trl_stepwise

__all__ = [
    "gsm8k", "gsm8k_solutions", "hh_rlhf", "math_shepherd", "prm800k", "processbench", "rewardbench2", "rlhflow",
    "rlhflow_outcomes", "trl_preference", "trl_stepwise",
]  # fmt: skip
