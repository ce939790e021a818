"""Many jobs for many workers: boto3_race.py URL JOBS make|check; `check` reads what the workers finished from stdin."""

import sys

from jobs_setup import action, codepipeline, custom_type, expect_success, pipeline, source
from session import wait

STAGE = 50
jobs = int(sys.argv[2])
names = [f"race-{n}" for n in range(jobs // STAGE)]

if sys.argv[3] == "make":
    source()
    custom_type("Racer")
    for name in names:
        work = [action(f"Run{n}", "Build", "Custom", "Racer", {}) for n in range(STAGE)]
        codepipeline.create_pipeline(pipeline=pipeline(name, work))
else:
    finished = sys.stdin.read().split()
    assert len(finished) == len(set(finished)) == jobs, (len(finished), len(set(finished)))
    for name in names:
        expect_success(name)
print("ok")
