"""A kind of job of another package, for tests of what every job has in common: it runs the code that its spec holds."""

from pydantic import BaseModel

from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType


class CodeSpec(BaseModel):
    code: str


def _run(process: JobProcess, home: Home, spec: CodeSpec) -> None:
    process.begin()
    exec(spec.code)


CODE = JobType("code", CodeSpec.model_validate, _run)
